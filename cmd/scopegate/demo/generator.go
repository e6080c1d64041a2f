package demo

import (
	"time"

	"github.com/scopegate/scopegate/session"
	"github.com/scopegate/scopegate/tenancy"
)

const (
	// DefaultSessions is how many sessions the demo has unless told otherwise.
	DefaultSessions = 50_000
	// DefaultSeed is what the demo's data is generated from. Another seed is
	// other people, phones and ids in the same companies.
	DefaultSeed = 0x5c09e9a7e

	operatorsEach    = 12     // operators of a company
	clientGeneration = 50_000 // sessions after which new clients come
	clientsPerWeight = 90     // clients of a company in one generation
	// accountShare is how many of the first sessions each account's own company
	// gets, so that small demos have something to show to everybody.
	accountShare = 25
)

// Generator makes sessions. It is not safe for use by several goroutines; two
// with the same seed and now make the same sessions.
type Generator struct {
	seed       uint64
	now        instant
	tree       []company
	accounts   []Account
	operators  []operator // operatorsEach a company, in the order of the tree
	weighted   []*company // each company as often as it weighs
	messengers []string   // each messenger as often as it is used
	userAgents []string
	random     *random
	current    sample
	buffer     []byte
}

// NewGenerator makes a generator whose dates lie in the two years before now.
func NewGenerator(seed uint64, now time.Time) *Generator {
	g := &Generator{seed: seed, now: instantOf(now), tree: layOut(), userAgents: userAgents(), random: newRandom()}
	g.accounts = accounts(g.tree)
	g.operators = newOperators(g.random, seed, g.tree)
	for i := range g.tree {
		for range g.tree[i].weight {
			g.weighted = append(g.weighted, &g.tree[i])
		}
	}
	weights := messengerWeights()
	for _, messenger := range session.MessengerTypes() {
		for range weights[messenger] {
			g.messengers = append(g.messengers, messenger)
		}
	}
	return g
}

// Session is the i-th session in wire form, valid until the next call.
func (g *Generator) Session(i int) []byte {
	g.buffer = appendSession(g.buffer[:0], g.roll(i))
	return g.buffer
}

// SessionID is the id of the i-th session: no two are alike.
func (g *Generator) SessionID(i int) string { return g.sessionID(i) }

func (g *Generator) sessionID(i int) string { return hex16(mix(uint64(i) ^ mix(g.seed))) }

// companyOf is the company that the i-th session belongs to.
func (g *Generator) companyOf(i int) *company {
	if i < accountShare*len(g.accounts) {
		return g.company(g.accounts[i%len(g.accounts)].CompanyID)
	}
	g.random.reseed(g.seed, 'O', uint64(i))
	return pick(g.random, g.weighted)
}

func (g *Generator) company(id tenancy.CompanyID) *company { return &g.tree[id-firstCompanyID] }

// operatorOf is one of the company's operators, 0 … operatorsEach-1.
func (g *Generator) operatorOf(home *company, number int) operator {
	return g.operators[int(home.ID-firstCompanyID)*operatorsEach+number]
}

func newOperators(d *random, seed uint64, tree []company) []operator {
	staff := make([]operator, 0, len(tree)*operatorsEach)
	for i := range tree {
		home := &tree[i]
		for number := range operatorsEach {
			d.reseed(seed, 'A', uint64(home.ID), uint64(number))
			staff = append(staff, operator{
				id:   int(home.ID)*100 + number,
				name: home.locale.fullName(pick(d, home.locale.givenNames), pick(d, home.locale.familyNames)),
			})
		}
	}
	return staff
}

// Directory lists the companies, parents first, and then the grants.
func (g *Generator) Directory() []session.Change {
	changes := make([]session.Change, 0, len(g.tree)+len(g.accounts))
	for _, c := range g.tree {
		changes = append(changes, session.Change{Kind: session.KindCompany, Company: c.Company})
	}
	for _, a := range g.accounts {
		for _, id := range a.Granted {
			grant := tenancy.Grant{Account: tenancy.Account{Issuer: Issuer, Subject: a.Subject}, CompanyID: id}
			changes = append(changes, session.Change{Kind: session.KindGrant, Grant: grant})
		}
	}
	return changes
}
