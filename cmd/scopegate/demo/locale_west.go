package demo

func westernLocales() []locale {
	return []locale{
		{
			country: "GB", countryName: "United Kingdom", timeZone: "Europe/London", joiner: " ",
			givenNames: []string{
				"Imogen", "Rhys", "Poppy", "Callum", "Siân", "Angus", "Freya", "Alfie", "Nia", "Rupert", "Maisie", "Ewan",
			},
			familyNames: []string{
				"Marsh-Heron", "Thistlewood", "Penrose", "O’Barley", "Wren", "Applegarth", "Fenwick", "Llwyd", "Ashcombe", "McHazel",
			},
			// Ofcom, telephone numbers for drama use.
			phone:    phonePlan{country: "44", ranges: []phoneRange{{"7700900", 3, 0}, {"1134960", 3, 0}, {"2079460", 3, 0}}},
			sites:    [6]string{"Help Desk", "Web Shop", "Delivery", "Returns", "Members’ Club", "Payments"},
			asked:    []string{"Hello, where is my order?", "Can I swap the size?", "Thanks, that’s sorted", "I’d like a refund please"},
			answered: []string{"Hello! Let me check that for you.", "Your parcel is on its way."},
			paid:     "Invoice ",
		},
		{
			country: "US", countryName: "United States", timeZone: "America/Los_Angeles", joiner: " ",
			givenNames: []string{
				"Jordan", "Chloe", "Renée", "Marcus", "Savannah", "Diego", "Harper", "Tyrone", "Zoey", "Wyatt", "Kiana", "Logan",
			},
			familyNames: []string{
				"Redwood", "Blackwater", "Núñez", "Cottonwood", "Falconer", "O'Prairie", "Silverlake", "Juniper", "Stonebridge", "Whitefeather",
			},
			// NANPA, 555-0100 to 555-0199 in any area.
			phone:    phonePlan{country: "1", ranges: []phoneRange{{"50355501", 2, 0}, {"21255501", 2, 0}, {"41555501", 2, 0}, {"30355501", 2, 0}}},
			sites:    [6]string{"Support", "Online Store", "Shipping", "Returns", "Rewards", "Billing"},
			asked:    []string{"Hi, where's my order?", "Can I change the size?", "Awesome, thank you!", "I want to return this"},
			answered: []string{"Hi there! Checking on it now.", "Your order has shipped."},
			paid:     "Invoice #",
		},
		{
			country: "IE", countryName: "Ireland", timeZone: "Europe/Dublin", joiner: " ", decomposable: true,
			givenNames: []string{
				"Caoimhe", "Seán", "Aoife", "Pádraig", "Niamh", "Eoghan", "Gráinne", "Tadhg", "Róisín", "Ciarán",
			},
			familyNames: []string{
				"Ó Lachtnáin", "Ní Fhearna", "Mac Giolla", "Ó Ceo", "Ó Móna", "Ní Thuinn", "Heatherley", "Ó Drúchta", "Carrick", "Ní Ghaoithe",
			},
			// ComReg, numbers for drama use.
			phone:    phonePlan{country: "353", ranges: []phoneRange{{"2091", 5, 0}}},
			sites:    [6]string{"Customer Care", "Web Shop", "Delivery", "Returns", "Club", "Payments"},
			asked:    []string{"Howya, any news on my order?", "Can I swap the size?", "Thanks a million!", "Are ye open on Sunday?"},
			answered: []string{"Hello! I’ll look into it now.", "It’s out for delivery."},
			paid:     "Invoice ",
		},
		{
			country: "BR", countryName: "Brasil", timeZone: "America/Sao_Paulo", joiner: " ", decomposable: true,
			givenNames: []string{
				"João", "Conceição", "Luís", "Tainá", "Antônio", "Débora", "Simão", "Beatriz", "Caetano", "Inês",
			},
			familyNames: []string{
				"Araçá", "Gonçalves Brisa", "Maranhão", "Ipê", "Cajuína", "Sabiá", "Magalhães", "Pitangueira", "Assunção", "Jacarandá",
			},
			phone:    inventedPhones("55", "1100000", 4),
			sites:    [6]string{"Atendimento", "Loja virtual", "Entregas", "Devoluções", "Clube", "Pagamentos"},
			asked:    []string{"Oi, cadê o meu pedido?", "Posso trocar o tamanho?", "Muito obrigado!", "Quero devolver o produto"},
			answered: []string{"Olá! Vou verificar agora.", "Seu pedido está a caminho."},
			paid:     "Fatura nº ",
		},
		{
			country: "CZ", countryName: "Česko", timeZone: "Europe/Prague", joiner: " ", decomposable: true,
			givenNames: []string{
				"Jiří", "Žofie", "Ondřej", "Kateřina", "Řehoř", "Eliška", "Štěpán", "Božena", "Vítězslav", "Anežka",
			},
			familyNames: []string{
				"Jeřábek", "Sněženková", "Větrník", "Čápová", "Kůň", "Měsíčková", "Ďatel", "Žlutý", "Březina", "Ťuhýková",
			},
			phone:    inventedPhones("420", "000", 6),
			sites:    [6]string{"Zákaznická péče", "E-shop", "Doručení", "Vrácení", "Klub", "Platby"},
			asked:    []string{"Dobrý den, kde je moje objednávka?", "Mohu vyměnit velikost?", "Děkuji!", "Chci zboží vrátit"},
			answered: []string{"Dobrý den, hned to ověřím.", "Zásilka je na cestě."},
			paid:     "Faktura č. ",
		},
		{
			country: "PL", countryName: "Polska", timeZone: "Europe/Warsaw", joiner: " ", decomposable: true,
			givenNames: []string{
				"Łucja", "Grażyna", "Michał", "Jędrzej", "Małgorzata", "Paweł", "Zdzisława", "Bożydar", "Agnieszka", "Stanisław",
			},
			familyNames: []string{
				"Źródłowska", "Bąkiewicz", "Żurawski", "Świerszcz", "Łabędź", "Gęsiorek", "Ćmiel", "Wiśniowiecka", "Dąbek", "Słowikówna",
			},
			phone:    inventedPhones("48", "000", 6),
			sites:    [6]string{"Obsługa klienta", "Sklep internetowy", "Dostawa", "Zwroty", "Klub", "Płatności"},
			asked:    []string{"Dzień dobry, gdzie jest moja paczka?", "Czy mogę wymienić rozmiar?", "Dziękuję bardzo!", "Chcę zwrócić towar"},
			answered: []string{"Dzień dobry, już sprawdzam.", "Przesyłka jest w drodze."},
			paid:     "Faktura nr ",
		},
	}
}
