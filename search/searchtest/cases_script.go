package searchtest

// scriptFixture has names in many scripts, and similar names beside each.
func scriptFixture() []spec {
	names := [][2]string{
		{"s01", "Алёна Королёва"}, {"s02", "Алена Королева"}, {"s03", "АЛЁНА КОРОЛЁВА"},
		{"s04", "Але\u0308на Королёва"}, // ё decomposed
		{"s05", "Андрей Майский"},
		{"s06", "Андреи Маискии"},
		{"s07", "Андреи\u0306 Маи\u0306скии\u0306"}, // й decomposed
		{"s10", "Jos\u00e9 Nu\u00f1ez"}, {"s11", "Jose\u0301 Nun\u0303ez"}, {"s12", "Jose Nunez"},
		{"s13", "Wei\u00df Stra\u00dfe"}, {"s14", "Weiss Strasse"},
		{"s15", "S\u00f8ren \u00c6r\u00f8"}, {"s16", "Soren Aero"},
		{"s17", "Nguy\u1ec5n Th\u1ecb Ho\u00e0ng"}, // two marks on one letter
		{"s20", "\uff21\uff22\uff23 \uff11\uff12\uff13"},
		{"s21", "abc 123"},
		{"s22", "Νίκος Παπάς"}, {"s23", "ΝΊΚΟΣ ΠΑΠΆΣ"},
		{"s24", "I\u015f\u0131k \u0130nan"}, {"s25", "isik inan"},
		{"s30", "王小明"}, {"s31", "大王小"}, {"s32", "山田 太郎"}, {"s33", "김민준"},
		{"s40", "דוד לוי"}, {"s41", "\u200fדוד\u200f \u202bלוי\u202c"}, {"s42", "דו\u200dד"},
		{"s45", "של\u200fום"},
		{"s43", "محمد علي"}, {"s44", "نور الهدى"},
		{"s50", "Zoe \U0001f469\u200d\U0001f469\u200d\U0001f467 party"},
		{"s51", "thumb \U0001f44d\U0001f3fd"}, {"s52", "flag \U0001f1eb\U0001f1f7"},
		{"s53", "\U0001f600\U0001f601\U0001f602\U0001f603"},
		{"s60", "देवनागरी नाम"}, {"s61", "ไทย"}, {"s62", "\u200b"}, {"s63", ""},
	}
	var specs []spec
	for _, n := range names {
		specs = append(specs, spec{n[0], scriptCo, values{"name": n[1]}})
	}
	return append(specs, spec{"s64", scriptCo, nil})
}

func scriptChecks() []check {
	return reads("script", scriptCo, []read{
		{name: "ё finds е", keyword: "алёна", want: "s01 s02 s03 s04"},
		{name: "е finds ё", keyword: "Королева", want: "s01 s02 s03 s04"},
		{name: "Ё in capitals", keyword: "АЛЁНА", want: "s01 s02 s03 s04"},
		{name: "ё decomposed in the keyword", keyword: "але\u0308на", want: "s01 s02 s03 s04"},
		{name: "й is not и", keyword: "андрей", want: "s05 s07"},
		{name: "и is not й", keyword: "андреи", want: "s06"},
		{name: "Й in capitals", keyword: "МАЙСКИЙ", want: "s05 s07"},
		{name: "й decomposed in the keyword", keyword: "маи\u0306скии\u0306", want: "s05 s07"},
		{name: "a part without й finds both", keyword: "андре", want: "s05 s06 s07"},
		{name: "two Cyrillic letters", keyword: "ле", want: "s01 s02 s03 s04"},
		{name: "one Cyrillic letter", keyword: "й", want: "s05 s07"},
		{name: "é composed", keyword: "jos\u00e9", want: "s10 s11 s12"},
		{name: "é decomposed", keyword: "jose\u0301", want: "s10 s11 s12"},
		{name: "e for é", keyword: "JOSE", want: "s10 s11 s12"},
		{name: "ñ for n", keyword: "nu\u00f1ez", want: "s10 s11 s12"},
		{name: "ß is ss", keyword: "wei\u00df", want: "s13 s14"},
		{name: "ss is ß", keyword: "STRASSE", want: "s13 s14"},
		{name: "half of ß", keyword: "weis", want: "s13 s14"},
		{name: "capital sharp s", keyword: "WEI\u1e9e", want: "s13 s14"},
		{name: "ø is o", keyword: "soren", want: "s15 s16"},
		{name: "æ is ae", keyword: "\u00e6r\u00f8", want: "s15 s16"},
		{name: "two marks composed", keyword: "nguy\u1ec5n", want: "s17"},
		{name: "two marks decomposed", keyword: "NGUYE\u0302\u0303N", want: "s17"},
		{name: "two marks left out", keyword: "nguyen thi hoang", want: "s17"},
		{name: "full-width finds ASCII", keyword: "\uff41\uff42\uff43", want: "s20 s21"},
		{name: "ASCII finds full-width", keyword: "ABC", want: "s20 s21"},
		{name: "full-width digits", keyword: "\uff11\uff12\uff13", want: "s20 s21"},
		{name: "final sigma", keyword: "νίκος", want: "s22 s23"},
		{name: "sigma in capitals", keyword: "ΝΊΚΟΣ", want: "s22 s23"},
		{name: "sigma within a word", keyword: "νίκοσ", want: "s22 s23"},
		{name: "dotless i", keyword: "\u0131\u015f\u0131k", want: "s24 s25"},
		{name: "dotted capital I", keyword: "\u0130NAN", want: "s24 s25"},
		{name: "plain i for both Turkish", keyword: "isik inan", want: "s24 s25"},
		{name: "dotted capital I decomposed", keyword: "I\u0307nan", want: "s24 s25"},
		{name: "one ideograph", keyword: "王", want: "s30 s31"},
		{name: "two ideographs", keyword: "小明", want: "s30"},
		{name: "three ideographs", keyword: "王小明", want: "s30"},
		{name: "kanji with a space", keyword: "太郎 山田", want: "s32"},
		{name: "hangul", keyword: "민준", want: "s33"},
		{name: "Hebrew without marks", keyword: "דוד", want: "s40 s41 s42"},
		{name: "Hebrew with bidi marks", keyword: "\u202bדוד\u202c \u200eלוי", want: "s40 s41"},
		{name: "Hebrew in part", keyword: "לו", want: "s40 s41 s45"},
		{name: "a bidi mark within a word", keyword: "שלום", want: "s45"},
		{name: "Arabic", keyword: "علي", want: "s43"},
		{name: "Arabic with a bidi mark", keyword: "\u200fمحمد", want: "s43"},
		{name: "one Arabic letter", keyword: "ه", want: "s44"},
		{name: "emoji joined by ZWJ", keyword: "\U0001f469\u200d\U0001f469\u200d\U0001f467", want: "s50"},
		{name: "one emoji of a joined one", keyword: "\U0001f467", want: "s50"},
		{name: "emoji without its skin tone", keyword: "\U0001f44d", want: "s51"},
		{name: "emoji with its skin tone", keyword: "\U0001f44d\U0001f3fd", want: "s51"},
		{name: "flag", keyword: "\U0001f1eb\U0001f1f7", want: "s52"},
		{name: "half of a flag", keyword: "\U0001f1f7", want: "s52"},
		{name: "two of four emoji", keyword: "\U0001f601\U0001f602", want: "s53"},
		{name: "three of four emoji", keyword: "\U0001f601\U0001f602\U0001f603", want: "s53"},
		{name: "emoji in another order", keyword: "\U0001f602\U0001f601"},
		{name: "emoji that nobody has", keyword: "\U0001f999"},
		{name: "Devanagari", keyword: "नाम", want: "s60"},
		{name: "Thai", keyword: "ทย", want: "s61"},
		{name: "words of two scripts", keyword: "zoe дом"},
		{name: "no-break space parts words", keyword: "weiss\u00a0strasse", want: "s13 s14"},
		{name: "ideographic space parts words", keyword: "山田\u3000太郎", want: "s32"},
		{name: "tab and line break part words", keyword: "\tweiss\n strasse\r\n", want: "s13 s14"},
	})
}
