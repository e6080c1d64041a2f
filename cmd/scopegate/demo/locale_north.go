package demo

func northernLocales() []locale {
	return []locale{
		{
			country: "DE", countryName: "Deutschland", timeZone: "Europe/Berlin", joiner: " ", decomposable: true,
			givenNames: []string{
				"Jürgen", "Käthe", "Björn", "Zoë", "Sören", "Anneliese", "Günther", "Ömer", "Heike", "Lukas",
				"Mia", "Noël", "René", "Ulrike", "Jörg", "Marlies", "Till", "Svenja", "Bärbel", "Konrad",
			},
			familyNames: []string{
				"Großmann", "Weiß", "Müßig", "Strauß", "Schönfeld", "Kräuter", "Häberle", "Möwe", "Nußbaum", "Süßkind",
				"Vogelsang", "Bäckersohn", "Löwenzahn", "Kieß", "Rübsam", "Fröhlich", "Eßer", "Grünwald", "Tännchen", "Lindholz",
			},
			// Bundesnetzagentur, Rufnummern für Film und Fernsehen.
			phone: phonePlan{country: "49", ranges: []phoneRange{
				{"17139200", 2, 0}, {"3023125", 3, 0}, {"4066969", 3, 0}, {"2214710", 3, 0}, {"8999998", 3, 0},
			}},
			sites: [6]string{"Kundendienst", "Online-Shop", "Lieferung", "Rücksendungen", "Treueklub", "Zahlungen"},
			asked: []string{
				"Guten Tag, wo bleibt meine Bestellung?", "Kann ich die Größe tauschen?", "Danke, das hilft mir sehr!",
				"Die Straße in der Adresse ist falsch", "Ich möchte das zurückgeben", "Wie lange haben Sie heute geöffnet?",
			},
			answered: []string{
				"Guten Tag! Ich schaue gleich nach.", "Ihr Paket ist unterwegs.", "Die Rücksendung ist angelegt.",
			},
			paid: "Rechnung Nr. ",
		},
		{
			country: "SE", countryName: "Sverige", timeZone: "Europe/Stockholm", joiner: " ", decomposable: true,
			givenNames: []string{
				"Åsa", "Märta", "Göran", "Linnéa", "Pär", "Östen", "Ebba", "Håkan", "Saga", "Jörgen", "Maj", "Torbjörn",
			},
			familyNames: []string{
				"Sjögräs", "Åkerblom", "Björkhagen", "Ängsmark", "Höstlöv", "Stjärnfall", "Skärgårdh", "Blåklint", "Norrsken", "Lövsjö",
			},
			// Post- och telestyrelsen, nummer för böcker och filmer.
			phone: phonePlan{country: "46", ranges: []phoneRange{{"7017406", 2, 5}, {"846500", 3, 400}, {"3139006", 2, 0}}},
			sites: [6]string{"Kundtjänst", "Webbutik", "Leverans", "Returer", "Klubben", "Betalningar"},
			asked: []string{
				"Hej! Var är min beställning?", "Kan jag byta storlek?", "Tack så mycket!", "Jag vill lämna tillbaka varan",
			},
			answered: []string{"Hej! Jag kollar direkt.", "Paketet är på väg."},
			paid:     "Faktura ",
		},
		{
			country: "NO", countryName: "Norge", timeZone: "Europe/Oslo", joiner: " ", decomposable: true,
			givenNames: []string{
				"Bjørn", "Ragnhild", "Øystein", "Sølvi", "Håvard", "Åse", "Kjærsti", "Torbjørg", "Jørn", "Synnøve",
			},
			familyNames: []string{
				"Fjellværsøy", "Lyngstrøm", "Mørkeskog", "Bærland", "Snøhvit", "Tåkeheim", "Ørnevik", "Sæterdal", "Vårlykke", "Kråkenes",
			},
			phone:    inventedPhones("47", "000", 5),
			sites:    [6]string{"Kundeservice", "Nettbutikk", "Levering", "Retur", "Klubben", "Betaling"},
			asked:    []string{"Hei, hvor er bestillingen min?", "Kan jeg bytte størrelse?", "Takk for hjelpen!", "Når åpner dere?"},
			answered: []string{"Hei! Jeg sjekker med en gang.", "Pakken er på vei."},
			paid:     "Faktura ",
		},
		{
			country: "DK", countryName: "Danmark", timeZone: "Europe/Copenhagen", joiner: " ", decomposable: true,
			givenNames: []string{
				"Søren", "Mæjken", "Jørgen", "Kåre", "Bodil", "Ærø", "Signe", "Øjvind", "Maja", "Asbjørn",
			},
			familyNames: []string{
				"Blåbjerg", "Æbleholt", "Østersø", "Kærgaard", "Fuglsang-Ærenlund", "Lærkedal", "Strandsø", "Rønneby", "Skovmærke", "Måneskin",
			},
			phone:    inventedPhones("45", "000", 5),
			sites:    [6]string{"Kundeservice", "Webshop", "Levering", "Returvarer", "Klubben", "Betaling"},
			asked:    []string{"Hej, hvor er min ordre?", "Kan jeg bytte størrelsen?", "Mange tak!", "Hvornår lukker I?"},
			answered: []string{"Hej! Jeg undersøger det nu.", "Pakken er på vej."},
			paid:     "Faktura ",
		},
	}
}
