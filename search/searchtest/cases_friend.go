package searchtest

// friendFixture has sessions that contain every three-character part of a word but
// not the word itself: false matches of a trigram index.
func friendFixture() []spec {
	names := [][2]string{
		{"t01", "abcde"}, {"t02", "abcd bcde"}, {"t03", "cde bcd abc"}, {"t04", "bcde abcd"}, {"t05", "xabcdex"},
		{"t10", "королева"}, {"t11", "короле ролева"}, {"t12", "оролева корол"},
		{"t20", "aaaa"}, {"t21", "aaa"}, {"t22", "aa"}, {"t23", "a"},
		{"t30", "ababab"}, {"t31", "abab"}, {"t32", "bababa"},
		{"t40", "王小明天"}, {"t41", "王小明 小明天"},
		{"t50", "\U0001f600\U0001f601\U0001f602\U0001f603"}, {"t51", "\U0001f600\U0001f601\U0001f602 \U0001f601\U0001f602\U0001f603"},
	}
	var specs []spec
	for _, n := range names {
		specs = append(specs, spec{n[0], friendCo, values{"name": n[1]}})
	}
	return append(specs,
		spec{"t06", friendCo, values{"name": "abcd", "clientId": "bcde"}},
		spec{"t07", friendCo, values{"name": "abc", "clientId": "bcd", "telegramClientId": "cde"}},
		spec{"t60", friendCo, values{"whatsappPhone": "5012345"}},
		spec{"t61", friendCo, values{"whatsappPhone": "1234 2345"}},
		spec{"t62", friendCo, values{"whatsappPhone": "+12 (34) 5"}},
	)
}

func friendChecks() []check {
	return reads("friend", friendCo, []read{
		{name: "all trigrams of a word", keyword: "abcde", want: "t01 t05"},
		{name: "all trigrams of a word in capitals", keyword: "ABCDE", want: "t01 t05"},
		{name: "all trigrams of a part", keyword: "bcde", want: "t01 t02 t04 t05 t06"},
		{name: "all trigrams of a Cyrillic word", keyword: "королева", want: "t10"},
		{name: "a word that repeats one trigram", keyword: "aaaa", want: "t20"},
		{name: "one trigram of a repeating word", keyword: "aaa", want: "t20 t21"},
		{name: "half of a repeating word", keyword: "aa", want: "t20 t21 t22"},
		{name: "five of what is four", keyword: "aaaaa"},
		{name: "a word that repeats two trigrams", keyword: "ababab", want: "t30"},
		{name: "a part that repeats two trigrams", keyword: "ababa", want: "t30 t32"},
		{name: "all trigrams of ideographs", keyword: "王小明天", want: "t40"},
		{name: "all trigrams of emoji", keyword: "\U0001f600\U0001f601\U0001f602\U0001f603", want: "t50"},
		{name: "all trigrams of a phone", keyword: "12345", want: "t60 t62"},
		{name: "digits across a blank in a phone", keyword: "42345", want: "t61"},
		{name: "two words, friends both", keyword: "abcde bcd", want: "t01 t05"},
		{name: "two words that are all trigrams", keyword: "abcd bcde", want: "t01 t02 t04 t05 t06"},
	})
}
