package searchtest

// phoneFixture: the cases search for the phone of p01; the others have its digits
// in another form or another place.
func phoneFixture() []spec {
	of := func(id string, v values) spec { return spec{id, phoneCo, v} }
	return []spec{
		of("p01", values{"whatsappPhone": "79991234567"}),
		of("p02", values{"whatsappPhone": "+7 (999) 765-43-21"}),
		of("p03", values{"whatsappPhone": "89991112233"}),
		of("p04", values{"whatsappPhone": "\u0660\u0661\u0662\u0663\u0664\u0665\u0666\u0667\u0668\u0669"}), // the digits 0 to 9
		of("p05", values{"name": "room 4077"}),
		of("p06", values{"telegramClientId": "79991234567"}),
		of("p07", values{"whatsappPhone": "380671002030"}),
		of("p08", values{"name": "call +7 (999) 123-45-67 please"}),
		of("p09", values{"clientId": "9991234567"}),
		of("p10", values{"whatsappPhone": "+55 4077 ext. 19"}),
		of("p11", values{"whatsappPhone": "no digits"}),
		of("p12", nil),
	}
}

func phoneChecks() []check {
	return reads("phone", phoneCo, []read{
		{name: "digits alone", keyword: "79991234567", want: "p01 p06"},
		{name: "with a plus", keyword: "+79991234567", want: "p01"},
		{name: "with spaces", keyword: "+7 999 123 45 67", want: "p01 p08"},
		{name: "as a Russian writes it", keyword: "+7 (999) 123-45-67", want: "p01 p08"},
		{name: "with a leading 8", keyword: "8 (999) 123-45-67", want: "p01"},
		{name: "with a leading 8 and nothing else", keyword: "89991234567", want: "p01"},
		{name: "without the country", keyword: "9991234567", want: "p01 p06 p09"},
		{name: "with dots", keyword: "999.123.45.67", want: "p01"},
		{name: "with dashes", keyword: "8-999-123-45-67", want: "p01"},
		{name: "a part with a dash", keyword: "123-45", want: "p01 p04 p08"},
		{name: "full-width", keyword: "\uff0b\uff17\uff08\uff19\uff19\uff19\uff09\uff11\uff12\uff13\uff0d\uff14\uff15\uff0d\uff16\uff17", want: "p01"},
		{name: "with non-breaking hyphens", keyword: "999\u2011123\u201145\u201167", want: "p01"},
		{name: "with en dashes", keyword: "999\u2013123\u201345\u201367", want: "p01"},
		{name: "with minus signs", keyword: "999\u2212123\u221245\u221267", want: "p01"},
		{name: "with no-break spaces", keyword: "+7\u00a0999\u00a0123\u00a045\u00a067", want: "p01 p08"},
		{name: "with thin spaces", keyword: "999\u2009123\u200945\u200967", want: "p01 p06 p08 p09"},
		{name: "in Arabic-Indic digits", keyword: "\u0667\u0669\u0669\u0669\u0661\u0662\u0663\u0664\u0665\u0666\u0667", want: "p01"},
		{name: "in Devanagari digits", keyword: "\u096f\u096f\u096f\u0967\u0968\u0969", want: "p01"},
		{name: "within bidi marks", keyword: "\u202a+7 (999) 123-45-67\u202c", want: "p01 p08"},
		{name: "stored with signs", keyword: "79997654321", want: "p02"},
		{name: "stored with signs, asked with others", keyword: "8 999 765 43 21", want: "p02"},
		{name: "stored with an 8", keyword: "8 999 111-22-33", want: "p03"},
		{name: "7 does not stand for 8", keyword: "7 999 111-22-33"},
		{name: "stored in Arabic-Indic digits", keyword: "12345678", want: "p04"},
		{name: "stored in Arabic-Indic digits, asked so", keyword: "\u0664\u0665\u0666\u0667", want: "p01 p04"},
		{name: "an 8 leads 11 digits only", keyword: "8999123456"},
		{name: "an 8 leads 11 digits only, not 12", keyword: "899912345670"},
		{name: "four digits are a phone", keyword: "10-02", want: "p07"},
		{name: "three digits are none", keyword: "10-0"},
		{name: "three digits are a word", keyword: "100", want: "p07"},
		{name: "two digits are a word", keyword: "19", want: "p10"},
		{name: "four digits are a word too", keyword: "4077", want: "p05 p10"},
		{name: "across a sign in the stored phone", keyword: "55407719", want: "p10"},
		{name: "a letter makes it no phone", keyword: "tel 7999123-45-67"},
		{name: "a letter leaves the words", keyword: "call 123-45-67", want: "p08"},
		{name: "a comma makes it no phone", keyword: "999,1234567"},
		{name: "a slash makes it no phone", keyword: "999/1234567"},
		{name: "a star makes it no phone", keyword: "7999123*"},
		{name: "spaces at the ends", keyword: "  9991234567  ", want: "p01 p06 p09"},
		{name: "the digits in another order", keyword: "1234567 999", want: "p01 p06 p09"},
		{name: "more digits than any phone", keyword: "799912345678"},
	})
}
