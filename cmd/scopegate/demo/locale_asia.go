package demo

func asianLocales() []locale {
	return []locale{
		{
			country: "JP", countryName: "日本", timeZone: "Asia/Tokyo", familyFirst: true, joiner: " ",
			givenNames: []string{
				"さくら", "陽菜", "健太", "ユキ", "美咲", "翔", "あおい", "拓海", "ひなた", "蓮",
			},
			familyNames: []string{
				"月島", "風早", "星野", "雪村", "朝霧", "波多野", "緑川", "霧島", "花岡", "虹川",
			},
			phone:    inventedPhones("81", "800000", 4),
			sites:    [6]string{"お客様サポート", "オンラインショップ", "配送", "返品", "会員クラブ", "お支払い"},
			asked:    []string{"こんにちは、注文はどこですか？", "サイズを交換できますか？", "ありがとうございます！", "返品したいです"},
			answered: []string{"お待たせしました。確認いたします。", "ご注文は配送中です。"},
			paid:     "請求書 ",
		},
		{
			country: "CN", countryName: "中国", timeZone: "Asia/Shanghai", familyFirst: true,
			givenNames: []string{
				"小雨", "明月", "思远", "晓峰", "佳怡", "子涵", "静", "浩然", "若兰", "天宇",
			},
			familyNames: []string{
				"云", "柳", "江", "山", "叶", "石", "白", "南宫", "欧阳", "司徒",
			},
			phone:    inventedPhones("86", "1000000", 4),
			sites:    [6]string{"客服中心", "网上商城", "配送", "退货", "会员俱乐部", "支付"},
			asked:    []string{"你好，我的订单到哪里了？", "可以换尺码吗？", "谢谢！", "我想退货"},
			answered: []string{"您好，我马上查询。", "您的包裹已在路上。"},
			paid:     "发票 ",
		},
		{
			country: "KR", countryName: "대한민국", timeZone: "Asia/Seoul", familyFirst: true,
			givenNames: []string{
				"하늘", "보라", "도윤", "서연", "가람", "지호", "나래", "은하", "새벽", "이슬",
			},
			familyNames: []string{
				"김", "이", "한", "남궁", "선우", "황보", "제갈", "독고", "서문", "천",
			},
			phone:    inventedPhones("82", "100000", 4),
			sites:    [6]string{"고객센터", "온라인 스토어", "배송", "반품", "멤버십", "결제"},
			asked:    []string{"안녕하세요, 주문이 어디 있나요?", "사이즈 교환 되나요?", "감사합니다!", "반품하고 싶어요"},
			answered: []string{"안녕하세요, 바로 확인하겠습니다.", "상품이 배송 중입니다."},
			paid:     "청구서 ",
		},
		{
			country: "VN", countryName: "Việt Nam", timeZone: "Asia/Ho_Chi_Minh", familyFirst: true, joiner: " ", decomposable: true,
			givenNames: []string{
				"Thị Hương", "Văn Đức", "Minh Châu", "Quốc Bảo", "Thùy Dương", "Hữu Phước", "Ngọc Ánh", "Đình Khôi", "Mỹ Lệ", "Tuấn Kiệt",
			},
			familyNames: []string{
				"Nguyễn", "Trần", "Đặng", "Phạm", "Võ", "Bùi", "Đỗ", "Hồ", "Lý", "Dương",
			},
			phone:    inventedPhones("84", "90000", 4),
			sites:    [6]string{"Chăm sóc khách hàng", "Cửa hàng trực tuyến", "Giao hàng", "Đổi trả", "Câu lạc bộ", "Thanh toán"},
			asked:    []string{"Chào bạn, đơn hàng của tôi ở đâu?", "Tôi đổi cỡ được không?", "Cảm ơn nhiều!", "Tôi muốn trả hàng"},
			answered: []string{"Chào bạn, mình kiểm tra ngay.", "Đơn hàng đang trên đường."},
			paid:     "Hóa đơn ",
		},
	}
}
