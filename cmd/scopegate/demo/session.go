package demo

import (
	"strconv"

	"github.com/scopegate/scopegate/session"
)

// messageCounts says who wrote how much in a session.
type messageCounts struct {
	client, operator, bot int
}

func (m messageCounts) sum() int { return m.client + m.operator + m.bot }

// sample is one generated session before it is written in wire form.
type sample struct {
	id      string
	company *company
	client  client
	chat    int // which of the company's channels
	timeline
	messageCounts
	unread       int
	status       string
	botStatus    string
	spam         tri
	operator     operator
	operatorType string
	second       operator // took over, if it has an id
	tags         string
	results      results
	billing      *billing
	asked        string // the client's last words
	answered     string // the operator's
}

// operator is somebody who serves clients of a company.
type operator struct {
	id   int // 0: nobody
	name string
}

func (s *sample) channelNumber() string {
	return strconv.Itoa(int(s.company.ID)) + "-" + strconv.Itoa(s.chat)
}

func (s *sample) botID() string { return "bot-" + s.channelNumber() }

// lastOperator is who served the session last, or nobody.
func (s *sample) lastOperator() operator {
	if s.second.id != 0 {
		return s.second
	}
	return s.operator
}

// results is how a session was rated and filed.
type results struct {
	dialog, operator []string
	nps, csi, rating int // -1: not rated
	price            float64
	fcr              tri
	lost, switched   tri
	external         tri
}

// billing is set on one session in ten.
type billing struct {
	date      instant
	accountID string
	amount    float64
	purpose   string
	id        string
	payer     string
}

// roll makes the i-th session. The same i is the same session whatever the
// number of sessions asked for.
func (g *Generator) roll(i int) *sample {
	d, s := g.random, &g.current
	home := g.companyOf(i)
	*s = sample{id: g.sessionID(i), company: home}
	g.rollClient(i, s)

	d.reseed(g.seed, 'S', uint64(i))
	s.chat = d.between(1, 3)
	s.messageCounts, s.operatorType = rollMessages(d)
	s.timeline = newTimeline(d, g.now, s.messageCounts)
	s.spam = d.flag(4, 12)
	s.asked = pick(d, s.client.locale.asked)
	if s.messageCounts.operator > 0 {
		s.operator = g.operatorOf(home, d.below(operatorsEach))
		s.answered = pick(d, home.locale.answered)
	}
	if s.messageCounts.operator > 0 && d.happens(12) {
		s.second = g.operatorOf(home, d.below(operatorsEach))
	}
	s.rollState(d)
	s.tags = rollTags(d)
	s.results = rollResults(d, s)
	if i%10 == 3 {
		s.billing = rollBilling(d, s)
	}
	return s
}

// rollClient takes one of the company's clients, some far more often than
// others; one session in 25 has none.
func (g *Generator) rollClient(i int, s *sample) {
	d := g.random
	d.reseed(g.seed, 'C', uint64(i))
	if d.happens(4) {
		s.client = client{locale: s.company.locale, place: s.company.place, messenger: pick(d, g.messengers)}
		return
	}
	// Every clientGeneration sessions bring clients of their own, so that their
	// number grows with that of the sessions.
	number := d.skewed(clientsPerWeight * s.company.weight)
	d.reseed(g.seed, 'P', uint64(s.company.ID), uint64(i/clientGeneration), uint64(number))
	s.client = g.newClient(d, s.company)
}

// rollMessages says who wrote how much, and so who served the session: nobody
// (one in ten), a bot, or an operator. A session without a value counts as
// NONE, so both ways of saying it occur.
func rollMessages(d *random) (messageCounts, string) {
	m := messageCounts{client: 1 + d.skewed(30)}
	switch roll := d.below(100); {
	case roll < 5:
		return m, session.OperatorNone
	case roll < 9:
		return m, ""
	case roll < 10: // opened and left without a word
		return messageCounts{}, session.OperatorNone
	case roll < 42:
		m.bot = 1 + d.skewed(20)
		return m, session.OperatorBot
	case roll < 46: // a mailing that was not answered
		return messageCounts{bot: 1}, session.OperatorBot
	case roll < 80:
		m.bot = 1 + d.skewed(6)
	}
	m.operator = 1 + d.skewed(30)
	return m, session.OperatorHuman
}

// rollState sets what the course of the session leads to.
func (s *sample) rollState(d *random) {
	switch {
	case s.closed != 0:
		s.status = "CLOSED"
	case s.messageCounts.operator > 0:
		s.status = "ACTIVE"
	case s.clientLast > s.botLast:
		s.status, s.unread = "WAITING", s.messageCounts.client
	default:
		s.status = "NEW"
	}
	switch {
	case s.bot == 0:
	case s.messageCounts.operator > 0:
		s.botStatus = "PAUSED"
	case s.closed != 0:
		s.botStatus = "FINISHED"
	default:
		s.botStatus = "ACTIVE"
	}
	if s.closed != 0 && d.happens(5) { // answered late: reopened
		s.status, s.closed, s.clientOffline = "REOPENED", 0, 0
	}
}

func rollTags(d *random) string {
	known := []string{"vip", "refund", "delivery", "complaint", "new client", "возврат", "срочно", "Größe", "支払い", "promo-24"}
	first := d.below(len(known))
	switch roll := d.below(100); {
	case roll < 55:
		return ""
	case roll < 80:
		return known[first]
	case roll < 95:
		return known[first] + ", " + known[(first+3)%len(known)]
	default: // as older clients write them
		return known[first] + "," + known[(first+1)%len(known)] + " , " + known[(first+5)%len(known)]
	}
}

func rollResults(d *random, s *sample) results {
	r := results{nps: -1, csi: -1, rating: -1}
	if s.closed == 0 {
		return r
	}
	if d.happens(60) {
		r.dialog = []string{pick(d, []string{"SOLVED", "NOT_SOLVED", "CONSULTED", "SOLD"})}
	}
	if s.messageCounts.operator > 0 && d.happens(50) {
		r.operator = []string{pick(d, []string{"ANSWERED", "ESCALATED", "CALL_BACK"})}
	}
	if d.happens(30) {
		r.rating, r.csi = d.between(1, 5), d.between(1, 5)
	}
	if d.happens(12) {
		r.nps = d.between(0, 10)
	}
	if s.client.messenger == "WHATSAPP" || s.client.messenger == "SMS" {
		r.price = float64(d.between(1, 900)) / 100
	}
	r.fcr = d.flag(50, 30)
	r.lost = d.flag(6, 10)
	r.external = d.flag(8, 10)
	r.switched = triFalse
	if s.second.id != 0 {
		r.switched = triTrue
	}
	return r
}

func rollBilling(d *random, s *sample) *billing {
	account := d.digits(10)
	payer := s.client.name
	if payer == "" {
		payer = s.client.locale.fullName(pick(d, s.client.locale.givenNames), pick(d, s.client.locale.familyNames))
	}
	return &billing{
		date:      s.started,
		accountID: account,
		amount:    float64(d.between(100, 2_500_000)) / 100,
		purpose:   s.client.locale.paid + strconv.Itoa(d.between(1000, 99999)),
		id:        "tx-" + d.hex()[:12],
		payer:     payer,
	}
}
