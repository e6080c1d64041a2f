package demo

// locale is what the people and texts of one country are made of.
type locale struct {
	country     string // ISO 3166-1 alpha-2
	countryName string
	timeZone    string
	givenNames  []string
	familyNames []string
	// familyFirst and joiner say how the two are written.
	familyFirst bool
	joiner      string
	// decomposable: names are Latin letters with marks, which some devices send
	// decomposed (NFD); the folding table has to treat both alike.
	decomposable bool
	phone        phonePlan
	// sites are the names of what a branch has below it; six, as no branch has
	// more.
	sites    [6]string
	asked    []string // what clients write
	answered []string // what operators write
	paid     string   // what a payment is for
}

// place is a city that a branch is in and that most of its clients write from.
type place struct {
	city       string
	regionCode string // ISO 3166-2, without the country
	regionName string
	zip        string // what its postal codes begin with
}

// fullName joins the parts in the order of the locale.
func (l *locale) fullName(given, family string) string {
	if l.familyFirst {
		return family + l.joiner + given
	}
	return given + l.joiner + family
}

// locales are looked up by country code when branches are laid out.
func locales() map[string]*locale {
	all := make(map[string]*locale)
	for _, group := range [][]locale{easternLocales(), northernLocales(), southernLocales(), asianLocales(), westernLocales()} {
		for i := range group {
			all[group[i].country] = &group[i]
		}
	}
	return all
}

// nicknames stand in for a name where a messenger knows no other.
func nicknames() []string {
	return []string{
		"🌻 Sunny", "☕ кофеман", "🦊 Лиса Алиса", "👩‍🚀 Nova", "🐳 くじら", "🎸 Rocker",
		"✨Мандаринка✨", "🐈‍⬛ Salem", "🌊 Kaïs", "🍀 lucky_one", "🚲 Radfahrer", "🧿 nazar",
	}
}
