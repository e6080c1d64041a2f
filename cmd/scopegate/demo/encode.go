package demo

import (
	"strconv"

	"github.com/scopegate/scopegate/session"
)

// appendSession writes the session in wire form: every field of the catalogue,
// in its order. A test holds it to the catalogue.
func appendSession(buf []byte, s *sample) []byte {
	w := &wire{buf: append(buf, '{')}
	s.encodeChat(w)
	s.encodeClient(w)
	s.encodeOperator(w)
	s.encodeCounts(w)
	s.encodeDates(w)
	s.encodeMessages(w)
	s.encodeResults(w)
	s.encodeBilling(w)
	w.shut()
	return w.buf
}

func (s *sample) encodeChat(w *wire) {
	w.text("id", s.id)
	w.integer("companyId", int(s.company.ID))
	w.text("companyName", s.company.Name)
	w.text("chatId", "chat-"+s.channelNumber())
	w.text("chatName", s.company.place.city+" #"+strconv.Itoa(s.chat))
	w.text("name", s.client.name)
	w.text("channel", channelOf(s.client.messenger))
	w.text("messengerType", s.client.messenger)
	w.text("status", s.status)
	w.text("botStatus", s.botStatus)
	if s.bot > 0 {
		w.text("botId", s.botID())
		w.text("botName", "Polly")
	} else {
		w.null("botId")
		w.null("botName")
	}
	w.flag("markedAsSpam", s.spam)
}

// channelOf says through what a messenger's sessions come in.
func channelOf(messenger string) string {
	switch messenger {
	case "WEB":
		return "widget"
	case "EMAIL":
		return "mailbox"
	case "SMS", "ALICE", "API", "OTHER":
		return "gateway"
	default:
		return "messenger"
	}
}

func (s *sample) encodeClient(w *wire) {
	c := &s.client
	w.text("clientId", c.id)
	w.text("clientExternalId", c.externalID)
	w.text("clientDeviceId", c.deviceID)
	w.text("clientIp", c.ip)
	w.text("clientUserAgent", c.userAgent)
	w.flag("clientBanned", c.banned)
	w.text("whatsappPhone", c.phone)
	w.text("telegramClientId", c.telegramID)
	if c.messenger == "WEB" {
		w.text("referer", "https://search.example/")
		w.text("location", "https://shop.example/"+c.locale.country+"/cart")
	} else {
		w.null("referer")
		w.null("location")
	}
	w.text("timeZone", c.locale.timeZone)
	w.text("countryCode", c.locale.country)
	w.text("countryName", c.locale.countryName)
	w.text("regionCode", c.place.regionCode)
	w.text("regionName", c.place.regionName)
	w.text("city", c.place.city)
	w.text("zipCode", c.place.zip+"01")
}

func (s *sample) encodeOperator(w *wire) {
	last := s.lastOperator()
	if last.id == 0 {
		w.null("operatorId")
	} else {
		w.text("operatorId", strconv.Itoa(last.id))
	}
	w.text("operatorName", last.name)
	w.text("operatorType", s.operatorType)
	if last.id == 0 {
		w.null("operatorGroupIds")
	} else {
		w.texts("operatorGroupIds", "group-"+strconv.Itoa(last.id%3+1))
	}
	w.date("operatorAssignedAt", s.assigned)
	s.encodeOperators(w)
	w.text("tags", s.tags)
}

func (s *sample) encodeOperators(w *wire) {
	if s.operator.id == 0 {
		w.null("operators")
		return
	}
	w.key("operators")
	w.buf = append(w.buf, '[')
	s.operator.encode(w, s.assigned)
	if s.second.id != 0 {
		w.buf = append(w.buf, ',')
		s.second.encode(w, s.operatorFirst)
	}
	w.buf = append(w.buf, ']')
}

func (o operator) encode(w *wire, assigned instant) {
	w.buf = append(w.buf, '{')
	w.integer("id", o.id)
	w.text("name", o.name)
	w.text("type", session.OperatorHuman)
	w.date("assigned_at", assigned)
	w.shut()
}

func (s *sample) encodeCounts(w *wire) {
	w.integer("clientMessageCount", s.messageCounts.client)
	w.integer("operatorMessageCount", s.messageCounts.operator)
	w.integer("botMessageCount", s.bot)
	w.integer("messageCount", s.sum())
	w.integer("unreadClientMessageCount", s.unread)
}

func (s *sample) encodeDates(w *wire) {
	w.date("createdAt", s.created)
	w.date("updatedAt", s.updated)
	w.date("startedAt", s.started)
	w.date("closedAt", s.closed)
	w.date("clientOnlineAt", s.clientOnline)
	w.date("clientOfflineAt", s.clientOffline)
	w.date("lastMessageCreatedAt", s.last)
	w.date("clientLastMessageCreatedAt", s.clientLast)
	w.date("operatorLastMessageCreatedAt", s.operatorLast)
	w.date("botLastMessageCreatedAt", s.botLast)
	w.date("operatorFirstMessageCreatedAt", s.operatorFirst)
	s.encodeClosing(w)
}

// encodeClosing says who closed the session: its operator, its bot, or, where
// nobody served it, somebody clearing the queue.
func (s *sample) encodeClosing(w *wire) {
	var user, operatorName, bot string
	switch {
	case s.closed == 0:
	case s.operator.id != 0:
		operatorName = s.lastOperator().name
	case s.bot > 0:
		bot = s.botID()
	default:
		user = "user-" + strconv.Itoa(int(s.company.ID))
	}
	w.text("closedByUserId", user)
	w.text("closedByOperatorName", operatorName)
	w.text("closedByBotId", bot)
}

func (s *sample) encodeMessages(w *wire) {
	if s.last == 0 {
		w.null("lastMessage")
	} else {
		from, text := "BOT", "👋"
		switch s.last {
		case s.operatorLast:
			from, text = session.OperatorHuman, s.answered
		case s.clientLast:
			from, text = "CLIENT", s.asked
		}
		w.open("lastMessage")
		w.text("from", from)
		w.text("type", "TEXT")
		w.text("text", text)
		w.shut()
	}
	w.text("lastOperatorMessage", s.answered)
	if s.operatorLast != 0 && s.clientLast > s.operatorLast {
		w.text("firstClientMessageAfterLastOperatorMessage", s.asked)
	} else {
		w.null("firstClientMessageAfterLastOperatorMessage")
	}
}

func (s *sample) encodeResults(w *wire) {
	r := &s.results
	w.integer("ttl", 86400)
	w.atLeast(1, "timerFirstAnswer", s.firstAnswer)
	w.atLeast(1, "timerNextAnswers", s.nextAnswers)
	w.texts("dialogResults", r.dialog...)
	w.texts("operatorResults", r.operator...)
	w.atLeast(0, "nps", r.nps)
	w.atLeast(0, "csi", r.csi)
	if r.csi > 0 {
		w.integer("csiMax", 5)
		w.integer("csiPercent", r.csi*20)
	} else {
		w.null("csiMax")
		w.null("csiPercent")
	}
	w.atLeast(0, "rating", r.rating)
	w.flag("fcr", r.fcr)
	w.number("price", r.price)
	w.atLeast(1, "operatorDialogDuration", s.dialog)
	w.atLeast(1, "operatorTimerFirstAnswer", s.operatorFirstAnswer)
	w.atLeast(1, "operatorTimerNextAnswers", s.nextAnswers)
	w.flag("switchAnotherOperator", r.switched)
	w.flag("haveExternalMessage", r.external)
	w.flag("isLostSession", r.lost)
	if s.operator.id == 0 {
		w.null("metrics")
		return
	}
	w.open("metrics")
	w.integer("transfers", min(1, s.second.id))
	w.integer("waited", s.operatorFirstAnswer)
	w.shut()
}

func (s *sample) encodeBilling(w *wire) {
	b := s.billing
	if b == nil {
		b = &billing{}
	}
	w.date("transactionDate", b.date)
	w.text("personalAccountId", b.accountID)
	w.number("amount", b.amount)
	w.text("purpose", b.purpose)
	w.text("externalId", b.id)
	w.text("payerNameFromTransaction", b.payer)
}
