package demo

func southernLocales() []locale {
	return []locale{
		{
			country: "ES", countryName: "España", timeZone: "Europe/Madrid", joiner: " ", decomposable: true,
			givenNames: []string{
				"Íñigo", "Begoña", "José", "Inés", "Ángel", "Sofía", "Raúl", "Belén", "Óscar", "Noemí", "Martín", "Lucía",
			},
			familyNames: []string{
				"Peñaflor", "Montañés", "Ríoseco", "Argüello", "Cañaveral", "Luján Olmo", "Sanz Muñiz", "Fuenteálamo", "Ibáñez", "Güell",
			},
			phone:    inventedPhones("34", "600000", 3),
			sites:    [6]string{"Atención al cliente", "Tienda online", "Envíos", "Devoluciones", "Club", "Pagos"},
			asked:    []string{"Hola, ¿dónde está mi pedido?", "¿Puedo cambiar la talla?", "¡Muchas gracias!", "Quiero devolver un artículo"},
			answered: []string{"¡Hola! Lo reviso ahora mismo.", "Su pedido ya está en camino."},
			paid:     "Factura n.º ",
		},
		{
			country: "FR", countryName: "France", timeZone: "Europe/Paris", joiner: " ", decomposable: true,
			givenNames: []string{
				"Élodie", "François", "Zoé", "Loïc", "Anaïs", "Jérôme", "Maëlle", "Benoît", "Océane", "Gaël", "Hélène", "Cédric",
			},
			familyNames: []string{
				"Lefèvre-Dubois", "Château", "Bérénger", "Noël", "Garçon", "Forêt", "L’Hôte", "D’Aubépine", "Crème", "Mûrier",
			},
			// ARCEP, numéros pour les œuvres audiovisuelles.
			phone:    phonePlan{country: "33", ranges: []phoneRange{{"63998", 4, 0}, {"19900", 4, 0}}},
			sites:    [6]string{"Service client", "Boutique en ligne", "Livraison", "Retours", "Club fidélité", "Paiements"},
			asked:    []string{"Bonjour, où est ma commande ?", "Puis-je changer de taille ?", "Merci beaucoup !", "Je voudrais être remboursé"},
			answered: []string{"Bonjour ! Je vérifie tout de suite.", "Votre colis est en route."},
			paid:     "Facture n° ",
		},
		{
			country: "GR", countryName: "Ελλάδα", timeZone: "Europe/Athens", joiner: " ",
			givenNames: []string{
				"Γιώργος", "Ελένη", "Νίκος", "Δέσποινα", "Σπύρος", "Ιωάννα", "Αλέξης", "Χρυσούλα", "Θανάσης", "Ζωή",
			},
			familyNames: []string{
				"Θαλασσινός", "Αμπελάς", "Πετρίδης", "Φεγγαράκη", "Λεμονής", "Ανεμογιάννης", "Βουνίσιος", "Ηλιάδου", "Ροδίτης", "Καλοκαιρινός",
			},
			phone:    inventedPhones("30", "690000", 4),
			sites:    [6]string{"Υποστήριξη", "Ηλεκτρονικό κατάστημα", "Παραδόσεις", "Επιστροφές", "Σύλλογος", "Πληρωμές"},
			asked:    []string{"Καλημέρα, πού είναι η παραγγελία μου;", "Μπορώ να αλλάξω μέγεθος;", "Ευχαριστώ πολύ!", "Τι ώρες είστε ανοιχτά;"},
			answered: []string{"Καλημέρα σας! Το ελέγχω αμέσως.", "Το δέμα είναι καθ’ οδόν."},
			paid:     "Τιμολόγιο ",
		},
		{
			country: "TR", countryName: "Türkiye", timeZone: "Europe/Istanbul", joiner: " ", decomposable: true,
			givenNames: []string{
				"İpek", "Işıl", "Çağla", "Gökhan", "Şebnem", "Yiğit", "Özge", "Ümit", "Ayşegül", "Kıvanç", "Irmak", "Doğukan",
			},
			familyNames: []string{
				"Yıldızcı", "Güneşli", "Işıkgöl", "Çınaraltı", "Şelaleli", "Ağaçoğlu", "Kırlangıç", "Özdeniz", "İncirli", "Bulutgezer",
			},
			phone:    inventedPhones("90", "500000", 4),
			sites:    [6]string{"Müşteri Hizmetleri", "Çevrimiçi Mağaza", "Teslimat", "İadeler", "Kulüp", "Ödemeler"},
			asked:    []string{"Merhaba, siparişim nerede?", "Beden değiştirebilir miyim?", "Çok teşekkürler!", "İade etmek istiyorum"},
			answered: []string{"Merhaba! Hemen bakıyorum.", "Siparişiniz yolda."},
			paid:     "Fatura no ",
		},
		{
			country: "IL", countryName: "ישראל", timeZone: "Asia/Jerusalem", joiner: " ",
			givenNames: []string{
				"נועה", "יונתן", "שירה", "איתי", "תמר", "אלון", "מיכל", "גיא", "יעל", "דניאל",
			},
			familyNames: []string{
				"הררי", "כרמלי", "אגמון", "שקדי", "זיתוני", "רימון", "גלבוע", "ענבר", "ארזי", "צורי",
			},
			phone:    inventedPhones("972", "50000", 4),
			sites:    [6]string{"שירות לקוחות", "חנות מקוונת", "משלוחים", "החזרות", "מועדון", "תשלומים"},
			asked:    []string{"שלום, איפה ההזמנה שלי?", "אפשר להחליף מידה?", "תודה רבה!", "עד מתי אתם פתוחים?"},
			answered: []string{"שלום! אני בודקת מיד.", "ההזמנה בדרך."},
			paid:     "חשבונית ",
		},
		{
			country: "AE", countryName: "الإمارات", timeZone: "Asia/Dubai", joiner: " ",
			givenNames: []string{
				"ليلى", "عمر", "نور", "يوسف", "سلمى", "خالد", "مريم", "طارق", "هند", "راشد",
			},
			familyNames: []string{
				"النخيلي", "البحري", "القمري", "الرملي", "الياسميني", "الغيمي", "اللؤلؤي", "الوادي", "الصقري", "الزيتوني",
			},
			phone:    inventedPhones("971", "50000", 4),
			sites:    [6]string{"خدمة العملاء", "المتجر الإلكتروني", "التوصيل", "المرتجعات", "النادي", "المدفوعات"},
			asked:    []string{"مرحبا، أين طلبي؟", "هل يمكن تغيير المقاس؟", "شكرا جزيلا", "أريد إرجاع المنتج"},
			answered: []string{"أهلا بك، سأتحقق الآن.", "طلبك في الطريق."},
			paid:     "فاتورة رقم ",
		},
	}
}
