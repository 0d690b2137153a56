# Buyurtmalar o‘z hujjatlari bo‘yicha.
orders-title = Buyurtmalar
orders-all = hammasi
orders-paid = to‘langan
orders-parked = rasmiylashtirilgan
orders-refused = rasmiylashtirilmagan
orders-unplaced = Billzda yo‘q
orders-none = Bunday buyurtmalar yo‘q.
orders-search = Buyurtmani topish
orders-search-hint = Buyurtma raqami yoki identifikatori, Billzdagi sotuv identifikatori yoki mijozning telefon raqami. Telefon raqami yashirilgan holda ko‘rsatiladi.
orders-number = Raqami
orders-state = Holati
orders-total = Jami
orders-billz-id = Billzdagi sotuv
orders-delivery = Yetkazish
orders-created = Yaratilgan
orders-error = Sababi
