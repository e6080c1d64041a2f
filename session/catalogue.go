package session

// catalogue is the one table of session fields. The wire form, the mapping, the
// schema, the fields and sort parameters, the CSV header and the OpenAPI schema are
// generated from it or checked against it.
var catalogue = [...]Field{
	{
		Name: "id", SortName: "id", Type: TypeString,
		Label:       Label{EN: "Session ID", RU: "ID сессии"},
		Description: "Identifier of the session, unique across companies. 1 to 512 bytes, without control characters.",
		Example:     `"5b0b1f9e7c2d4a0001a3f6d2"`,
	},
	{
		Name: "companyId", SortName: "companyId", Type: TypeInteger,
		Label:       Label{EN: "Company ID", RU: "ID компании"},
		Description: "The company that the session belongs to.",
		Example:     `4711`,
	},
	{
		Name: "companyName", Type: TypeString, Nullable: true,
		Label:       Label{EN: "Company", RU: "Компания"},
		Description: "Name of that company when the session was stored; it does not follow later renamings.",
		Example:     `"Northwind Clinics"`,
	},
	{
		Name: "chatId", Type: TypeString, Nullable: true,
		Label:       Label{EN: "Chat ID", RU: "ID чата"},
		Description: "Identifier of the chat. A chat goes on over years; each of its sessions is one conversation.",
		Example:     `"5b0b1f9e7c2d4a0001a3f001"`,
	},
	{
		Name: "chatName", Type: TypeString, Nullable: true,
		Label:       Label{EN: "Chat", RU: "Чат"},
		Description: "Name of the chat, as the company has set it.",
		Example:     `"Main site"`,
	},
	{
		Name: "name", SortName: "name", Type: TypeString, Nullable: true,
		Label:       Label{EN: "Name", RU: "Имя"},
		Description: "Name of the session: the client's, as far as it is known. Searched by keyword, so it has at most 1,000 characters; sorts by its folded value.",
		Example:     `"Анна Ковалёва"`,
	},
	{
		Name: "channel", Type: TypeString, Nullable: true,
		Label:       Label{EN: "Channel", RU: "Канал"},
		Description: "The channel that the client came through, by the name that the company has given it.",
		Example:     `"site-footer"`,
	},
	{
		Name: "messengerType", SortName: "messengerType", Type: TypeString, Nullable: true,
		Label:       Label{EN: "Messenger", RU: "Мессенджер"},
		Description: "The messenger that the client writes from.",
		Example:     `"WHATSAPP"`,
	},
	{
		Name: "status", SortName: "status", Type: TypeString, Nullable: true,
		Label:       Label{EN: "Status", RU: "Статус"},
		Description: "State of the session, as its producer writes it, such as OPEN or CLOSED: any string is kept, and the filter compares it byte by byte.",
		Example:     `"CLOSED"`,
	},
	{
		Name: "botStatus", Type: TypeString, Nullable: true,
		Label:       Label{EN: "Bot status", RU: "Статус бота"},
		Description: "State of the bot's part in the session, as its producer writes it. null: no bot took part, or its state is not known.",
		Example:     `"COMPLETED"`,
	},
	{
		Name: "botId", Type: TypeString, Nullable: true,
		Label:       Label{EN: "Bot ID", RU: "ID бота"},
		Description: "Identifier of the bot that served the session.",
		Example:     `"b-17"`,
	},
	{
		Name: "botName", Type: TypeString, Nullable: true,
		Label:       Label{EN: "Bot", RU: "Бот"},
		Description: "Name of that bot.",
		Example:     `"Appointment bot"`,
	},
	{
		Name: "markedAsSpam", Type: TypeBoolean, Nullable: true,
		Label:       Label{EN: "Spam", RU: "Спам"},
		Description: "Whether an operator has marked the session as spam. A filter for false finds null too.",
		Example:     `false`,
	},
	{
		Name: "clientId", SortName: "clientId", Type: TypeString, Nullable: true,
		Label:       Label{EN: "Client ID", RU: "ID клиента"},
		Description: "Identifier of the client within the company. Searched by keyword, so it has at most 1,000 characters; sorts by its folded value.",
		Example:     `"c-90125"`,
	},
	{
		Name: "clientExternalId", Type: TypeString, Nullable: true,
		Label:       Label{EN: "External client ID", RU: "Внешний ID клиента"},
		Description: "The client's identifier in a system of the company's own, such as its CRM.",
		Example:     `"CRM-10042"`,
	},
	{
		Name: "clientDeviceId", Type: TypeString, Nullable: true,
		Label:       Label{EN: "Client device ID", RU: "ID устройства клиента"},
		Description: "Identifier of the device that the client writes from.",
		Example:     `"d-3f1c9a"`,
	},
	{
		Name: "clientIp", Type: TypeString, Nullable: true,
		Label:       Label{EN: "Client IP address", RU: "IP-адрес клиента"},
		Description: "Address that the client came from, IPv4 or IPv6.",
		Example:     `"192.0.2.44"`,
	},
	{
		Name: "clientUserAgent", Type: TypeString, Nullable: true,
		Label:       Label{EN: "Client browser", RU: "Браузер клиента"},
		Description: "User agent of the client's browser or app.",
		Example:     `"Mozilla/5.0 (X11; Linux x86_64)"`,
	},
	{
		Name: "clientBanned", Type: TypeBoolean, Nullable: true,
		Label:       Label{EN: "Client banned", RU: "Клиент заблокирован"},
		Description: "Whether the client is banned from writing. A filter for false finds null too.",
		Example:     `false`,
	},
	{
		Name: "whatsappPhone", Type: TypeString, Nullable: true,
		Label:       Label{EN: "WhatsApp phone", RU: "Телефон WhatsApp"},
		Description: "The client's WhatsApp number, as it was written. Searched by keyword, as text and by its digits, so it has at most 1,000 characters.",
		Example:     `"+7 999 123-45-67"`,
	},
	{
		Name: "telegramClientId", Type: TypeString, Nullable: true,
		Label:       Label{EN: "Telegram client ID", RU: "ID клиента в Telegram"},
		Description: "The client's identifier in Telegram. Searched by keyword, so it has at most 1,000 characters.",
		Example:     `"700100200"`,
	},
	{
		Name: "referer", Type: TypeString, Nullable: true,
		Label:       Label{EN: "Referring page", RU: "Источник перехода"},
		Description: "The page that led the client to the one where the chat was opened.",
		Example:     `"https://www.example.com/"`,
	},
	{
		Name: "location", Type: TypeString, Nullable: true,
		Label:       Label{EN: "Page", RU: "Страница"},
		Description: "The page on which the chat was opened.",
		Example:     `"https://clinics.example.com/contacts"`,
	},
	{
		Name: "timeZone", Type: TypeString, Nullable: true,
		Label:       Label{EN: "Time zone", RU: "Часовой пояс"},
		Description: "The client's time zone, as the client's device reported it.",
		Example:     `"Europe/Berlin"`,
	},
	{
		Name: "countryCode", Type: TypeString, Nullable: true,
		Label:       Label{EN: "Country code", RU: "Код страны"},
		Description: "Country that the client's address is in, as a code, usually ISO 3166-1 alpha-2.",
		Example:     `"DE"`,
	},
	{
		Name: "countryName", Type: TypeString, Nullable: true,
		Label:       Label{EN: "Country", RU: "Страна"},
		Description: "Name of that country.",
		Example:     `"Germany"`,
	},
	{
		Name: "regionCode", Type: TypeString, Nullable: true,
		Label:       Label{EN: "Region code", RU: "Код региона"},
		Description: "Region of that country that the client's address is in, as a code.",
		Example:     `"BE"`,
	},
	{
		Name: "regionName", Type: TypeString, Nullable: true,
		Label:       Label{EN: "Region", RU: "Регион"},
		Description: "Name of that region.",
		Example:     `"Land Berlin"`,
	},
	{
		Name: "city", Type: TypeString, Nullable: true,
		Label:       Label{EN: "City", RU: "Город"},
		Description: "City that the client's address is in.",
		Example:     `"Berlin"`,
	},
	{
		Name: "zipCode", Type: TypeString, Nullable: true,
		Label:       Label{EN: "Postal code", RU: "Почтовый индекс"},
		Description: "Postal code that the client's address is in.",
		Example:     `"10115"`,
	},
	{
		Name: "operatorId", SortName: "operatorId", Type: TypeString, Nullable: true,
		Label:       Label{EN: "Operator ID", RU: "ID оператора"},
		Description: "Identifier of the operator who served the session last.",
		Example:     `"o-204"`,
	},
	{
		Name: "operatorName", SortName: "operatorName", Type: TypeString, Nullable: true,
		Label:       Label{EN: "Operator", RU: "Оператор"},
		Description: "Name of that operator; sorts by its folded value.",
		Example:     `"Maria Lindqvist"`,
	},
	{
		Name: "operatorType", Type: TypeString, Nullable: true,
		Label:       Label{EN: "Served by", RU: "Кто обслуживал"},
		Description: "Who served the session last: BOT, OPERATOR (a person) or NONE (nobody yet). null means the same as NONE, and the filter treats it so.",
		Example:     `"OPERATOR"`,
	},
	{
		Name: "operatorGroupIds", Type: TypeStrings, Nullable: true,
		Label:       Label{EN: "Operator group IDs", RU: "ID групп операторов"},
		Description: "Identifiers of the operator groups that the session was routed to.",
		Example:     `["g-1","g-12"]`,
	},
	{
		Name: "operatorAssignedAt", Type: TypeDate, Nullable: true,
		Label:       Label{EN: "Operator assigned", RU: "Оператор назначен"},
		Description: "When the last operator was assigned.",
		Example:     `"2018-05-27T21:31:40.120Z"`,
	},
	{
		Name: "operators", Type: TypeOperators, Nullable: true,
		Label:       Label{EN: "Operators", RU: "Операторы"},
		Description: "All who have served the session, in the order of their assignment as far as the producer keeps it. Each has an integer id, a name, a type and assigned_at, a date; each of the four may be null.",
		Example:     `[{"id":204,"name":"Maria Lindqvist","type":"OPERATOR","assigned_at":"2018-05-27T21:31:40.120Z"}]`,
	},
	{
		Name: "tags", Type: TypeString, Nullable: true,
		Label:       Label{EN: "Tags", RU: "Теги"},
		Description: "Tags of the session, separated by commas. The filter compares single tags without the spaces around them.",
		Example:     `"vip,callback"`,
	},
	{
		Name: "clientMessageCount", SortName: "clientMessageCount", Type: TypeInteger,
		Label:       Label{EN: "Client messages", RU: "Сообщений клиента"},
		Description: "How many messages the client has written.",
		Example:     `7`,
	},
	{
		Name: "operatorMessageCount", SortName: "operatorMessageCount", Type: TypeInteger,
		Label:       Label{EN: "Operator messages", RU: "Сообщений оператора"},
		Description: "How many messages operators have written.",
		Example:     `5`,
	},
	{
		Name: "botMessageCount", SortName: "botMessageCount", Type: TypeInteger,
		Label:       Label{EN: "Bot messages", RU: "Сообщений бота"},
		Description: "How many messages bots have written.",
		Example:     `2`,
	},
	{
		Name: "messageCount", SortName: "messageCount", Type: TypeInteger,
		Label:       Label{EN: "Messages", RU: "Всего сообщений"},
		Description: "The sum of the client's, operators' and bots' messages.",
		Example:     `14`,
	},
	{
		Name: "unreadClientMessageCount", Type: TypeInteger, Nullable: true,
		Label:       Label{EN: "Unread client messages", RU: "Непрочитанных сообщений клиента"},
		Description: "How many of the client's messages no operator has read.",
		Example:     `0`,
	},
	{
		Name: "createdAt", SortName: "createdAt", Type: TypeDate, Nullable: true,
		Label:       Label{EN: "Created", RU: "Создана"},
		Description: "When the session was created. The default field of from and to.",
		Example:     `"2018-05-27T21:30:54.000Z"`,
	},
	{
		Name: "updatedAt", SortName: "updatedAt", Type: TypeDate, Nullable: true,
		Label:       Label{EN: "Updated", RU: "Обновлена"},
		Description: "When the session was last changed.",
		Example:     `"2018-05-27T22:05:10.431Z"`,
	},
	{
		Name: "startedAt", SortName: "started_at", Type: TypeDate, Nullable: true,
		Label:       Label{EN: "Started", RU: "Начата"},
		Description: "When the conversation began. Sorts under the name started_at; the default order shows the latest first.",
		Example:     `"2018-05-27T21:30:55.210Z"`,
	},
	{
		Name: "closedAt", SortName: "closedAt", Type: TypeDate, Nullable: true,
		Label:       Label{EN: "Closed", RU: "Закрыта"},
		Description: "When the session was closed; null while it is open.",
		Example:     `"2018-05-27T22:05:10.431Z"`,
	},
	{
		Name: "clientOnlineAt", Type: TypeDate, Nullable: true,
		Label:       Label{EN: "Client online", RU: "Клиент в сети"},
		Description: "When the client was last seen coming online.",
		Example:     `"2018-05-27T21:30:50.002Z"`,
	},
	{
		Name: "clientOfflineAt", Type: TypeDate, Nullable: true,
		Label:       Label{EN: "Client offline", RU: "Клиент не в сети"},
		Description: "When the client was last seen going offline.",
		Example:     `"2018-05-27T22:06:00.000Z"`,
	},
	{
		Name: "lastMessageCreatedAt", SortName: "lastMessageCreatedAt", Type: TypeDate, Nullable: true,
		Label:       Label{EN: "Last message at", RU: "Время последнего сообщения"},
		Description: "When the last message was written, whoever wrote it.",
		Example:     `"2018-05-27T22:04:58.900Z"`,
	},
	{
		Name: "clientLastMessageCreatedAt", Type: TypeDate, Nullable: true,
		Label:       Label{EN: "Last client message at", RU: "Время последнего сообщения клиента"},
		Description: "When the client wrote last.",
		Example:     `"2018-05-27T22:04:31.755Z"`,
	},
	{
		Name: "operatorLastMessageCreatedAt", Type: TypeDate, Nullable: true,
		Label:       Label{EN: "Last operator message at", RU: "Время последнего сообщения оператора"},
		Description: "When an operator wrote last.",
		Example:     `"2018-05-27T22:04:58.900Z"`,
	},
	{
		Name: "botLastMessageCreatedAt", Type: TypeDate, Nullable: true,
		Label:       Label{EN: "Last bot message at", RU: "Время последнего сообщения бота"},
		Description: "When a bot wrote last.",
		Example:     `"2018-05-27T21:31:20.018Z"`,
	},
	{
		Name: "operatorFirstMessageCreatedAt", Type: TypeDate, Nullable: true,
		Label:       Label{EN: "First operator message at", RU: "Время первого сообщения оператора"},
		Description: "When an operator wrote for the first time.",
		Example:     `"2018-05-27T21:32:05.377Z"`,
	},
	{
		Name: "closedByUserId", Type: TypeString, Nullable: true,
		Label:       Label{EN: "Closed by user ID", RU: "ID закрывшего пользователя"},
		Description: "Identifier of the user who closed the session; null when it is open or a bot closed it.",
		Example:     `"u-88"`,
	},
	{
		Name: "closedByOperatorName", Type: TypeString, Nullable: true,
		Label:       Label{EN: "Closed by operator", RU: "Закрывший оператор"},
		Description: "Name of the operator who closed the session.",
		Example:     `"Maria Lindqvist"`,
	},
	{
		Name: "closedByBotId", Type: TypeString, Nullable: true,
		Label:       Label{EN: "Closed by bot ID", RU: "ID закрывшего бота"},
		Description: "Identifier of the bot that closed the session.",
		Example:     `"b-17"`,
	},
	{
		Name: "lastMessage", Type: TypeObject, Nullable: true,
		Label:       Label{EN: "Last message", RU: "Последнее сообщение"},
		Description: "The last message, as its producer writes it: any object.",
		Example:     `{"text":"Thank you!","senderType":"CLIENT"}`,
	},
	{
		Name: "lastOperatorMessage", Type: TypeString, Nullable: true,
		Label:       Label{EN: "Last operator message", RU: "Последнее сообщение оператора"},
		Description: "Text of the last message that an operator wrote.",
		Example:     `"See you on Monday."`,
	},
	{
		Name: "firstClientMessageAfterLastOperatorMessage", Type: TypeString, Nullable: true,
		Label:       Label{EN: "First client message after last operator message", RU: "Первое сообщение клиента после последнего сообщения оператора"},
		Description: "Text of the first message that the client wrote after the operator's last one: what waits for an answer.",
		Example:     `"And on Tuesday?"`,
	},
	{
		Name: "ttl", Type: TypeInteger, Nullable: true,
		Label:       Label{EN: "Time to live", RU: "Время жизни"},
		Description: "How long the session stays open without a message, as its producer writes it.",
		Example:     `86400`,
	},
	{
		Name: "timerFirstAnswer", Type: TypeInteger, Nullable: true,
		Label:       Label{EN: "Time to first answer (s)", RU: "Время до первого ответа (с)"},
		Description: "How long the client waited for the first answer, in seconds.",
		Example:     `71`,
	},
	{
		Name: "timerNextAnswers", Type: TypeInteger, Nullable: true,
		Label:       Label{EN: "Time to next answers (s)", RU: "Время до следующих ответов (с)"},
		Description: "How long the client waited for later answers, in seconds.",
		Example:     `38`,
	},
	{
		Name: "dialogResults", Type: TypeStrings, Nullable: true,
		Label:       Label{EN: "Dialog results", RU: "Результаты диалога"},
		Description: "Results that the conversation ended with, from the company's own list.",
		Example:     `["appointment made"]`,
	},
	{
		Name: "operatorResults", Type: TypeStrings, Nullable: true,
		Label:       Label{EN: "Operator results", RU: "Результаты оператора"},
		Description: "Results that operators have noted, from the company's own list.",
		Example:     `["resolved"]`,
	},
	{
		Name: "nps", Type: TypeInteger, Nullable: true,
		Label:       Label{EN: "NPS", RU: "NPS"},
		Description: "Net promoter score that the client gave, usually 0 to 10.",
		Example:     `9`,
	},
	{
		Name: "csi", Type: TypeNumber, Nullable: true,
		Label:       Label{EN: "CSI", RU: "CSI"},
		Description: "Customer satisfaction index that the client gave.",
		Example:     `4.5`,
	},
	{
		Name: "csiMax", Type: TypeNumber, Nullable: true,
		Label:       Label{EN: "Maximum CSI", RU: "Максимум CSI"},
		Description: "The highest csi that could have been given.",
		Example:     `5`,
	},
	{
		Name: "csiPercent", Type: TypeNumber, Nullable: true,
		Label:       Label{EN: "CSI (%)", RU: "CSI (%)"},
		Description: "The csi as a percentage of csiMax.",
		Example:     `90`,
	},
	{
		Name: "rating", SortName: "rating", Type: TypeNumber, Nullable: true,
		Label:       Label{EN: "Rating", RU: "Оценка"},
		Description: "The client's rating of the session.",
		Example:     `4.5`,
	},
	{
		Name: "fcr", Type: TypeBoolean, Nullable: true,
		Label:       Label{EN: "Resolved at first contact", RU: "Решено с первого обращения"},
		Description: "First contact resolution: whether the client's matter was settled in this one session.",
		Example:     `true`,
	},
	{
		Name: "price", Type: TypeNumber, Nullable: true,
		Label:       Label{EN: "Price", RU: "Цена"},
		Description: "Price of the session, in the currency that the company accounts in.",
		Example:     `1250.5`,
	},
	{
		Name: "operatorDialogDuration", Type: TypeInteger, Nullable: true,
		Label:       Label{EN: "Dialog with operator (s)", RU: "Диалог с оператором (с)"},
		Description: "How long the conversation with operators took, in seconds.",
		Example:     `1985`,
	},
	{
		Name: "operatorTimerFirstAnswer", Type: TypeInteger, Nullable: true,
		Label:       Label{EN: "Operator time to first answer (s)", RU: "Время оператора до первого ответа (с)"},
		Description: "How long the client waited for an operator's first answer, in seconds.",
		Example:     `25`,
	},
	{
		Name: "operatorTimerNextAnswers", Type: TypeInteger, Nullable: true,
		Label:       Label{EN: "Operator time to next answers (s)", RU: "Время оператора до следующих ответов (с)"},
		Description: "How long the client waited for an operator's later answers, in seconds.",
		Example:     `33`,
	},
	{
		Name: "switchAnotherOperator", Type: TypeBoolean, Nullable: true,
		Label:       Label{EN: "Passed to another operator", RU: "Передана другому оператору"},
		Description: "Whether the session was handed from one operator to another.",
		Example:     `false`,
	},
	{
		Name: "haveExternalMessage", Type: TypeBoolean, Nullable: true,
		Label:       Label{EN: "Has external messages", RU: "Есть внешние сообщения"},
		Description: "Whether some message was written outside of the platform, such as on the operator's own phone.",
		Example:     `false`,
	},
	{
		Name: "isLostSession", Type: TypeBoolean, Nullable: true,
		Label:       Label{EN: "Lost", RU: "Потеряна"},
		Description: "Whether the session counts as lost: the client wrote and nobody answered.",
		Example:     `false`,
	},
	{
		Name: "metrics", Type: TypeObject, Nullable: true,
		Label:       Label{EN: "Metrics", RU: "Метрики"},
		Description: "Measurements of the session that its producer keeps: any object.",
		Example:     `{"queueSeconds":12}`,
	},
	{
		Name: "transactionDate", Type: TypeDate, Nullable: true,
		Label:       Label{EN: "Transaction date", RU: "Дата операции"},
		Description: "When the payment was made. Like all billing fields, null where a session has no transaction.",
		Example:     `"2018-05-28T09:12:00.000Z"`,
	},
	{
		Name: "personalAccountId", Type: TypeString, Nullable: true,
		Label:       Label{EN: "Personal account ID", RU: "ID лицевого счёта"},
		Description: "The account that the payment is booked on.",
		Example:     `"40817-0042"`,
	},
	{
		Name: "amount", Type: TypeNumber, Nullable: true,
		Label:       Label{EN: "Amount", RU: "Сумма"},
		Description: "Amount of the payment, in the currency of that account.",
		Example:     `1250.5`,
	},
	{
		Name: "purpose", Type: TypeString, Nullable: true,
		Label:       Label{EN: "Purpose", RU: "Назначение платежа"},
		Description: "Purpose of the payment, as the payer wrote it.",
		Example:     `"Consultation, May"`,
	},
	{
		Name: "externalId", Type: TypeString, Nullable: true,
		Label:       Label{EN: "External ID", RU: "Внешний ID"},
		Description: "Identifier of the payment in the system that it was made with.",
		Example:     `"pay-20180528-17"`,
	},
	{
		Name: "payerNameFromTransaction", Type: TypeString, Nullable: true,
		Label:       Label{EN: "Payer", RU: "Плательщик"},
		Description: "Name of the payer, as the transaction has it.",
		Example:     `"A. Kovaleva"`,
	},
}

// The messenger types and operator types of the contract.
var (
	messengerTypes = []string{
		"WEB", "WHATSAPP", "TELEGRAM", "VIBER", "FACEBOOK", "INSTAGRAM", "VKONTAKTE",
		"ODNOKLASSNIKI", "AVITO", "ALICE", "EMAIL", "SMS", "API", "OTHER",
	}
	operatorTypes = []string{OperatorBot, OperatorHuman, OperatorNone}
)

// Operator types: who handled a session last.
const (
	OperatorBot   = "BOT"
	OperatorHuman = "OPERATOR"
	OperatorNone  = "NONE" // also stands for a session without a value
)

// MessengerTypes lists the messenger types of the contract, in its order.
func MessengerTypes() []string { return append([]string(nil), messengerTypes...) }

// OperatorTypes lists the operator types of the contract, in its order.
func OperatorTypes() []string { return append([]string(nil), operatorTypes...) }
