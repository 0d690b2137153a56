# What pages are made of: lists, troubles, states.
pager-label = Ro‘yxat sahifalari
pager-range = { $first }–{ $last }
pager-total = { $total ->
    [one] { $total } ta yozuv
   *[other] { $total } ta yozuv
}
pager-first = Boshiga
pager-previous = Oldingi
pager-next = Keyingi
trouble-back = Umumiy ko‘rinishga
trouble-away = { $name } javob bermayapti
trouble-away-advice = { $name } o‘z vaqtida javob bermadi. Unga bog‘liq bo‘lmagan narsalar ishlaydi. U qaytganda sahifani qayta yuklang; qaytmasa, u ishlayotganini va manzili to‘g‘riligini tekshiring.
trouble-not-configured = Bu yerda sozlanmagan
trouble-needs-worker = Buyurtmalar ishlovchisi bu jarayonda sozlanmagan. U ishlayotgan jarayon panelini oching yoki BILLZ_TOKEN va BILLZ_SHOP_ID ni belgilang.
trouble-needs-billing = Billing bu jarayonda sozlanmagan. U ishlayotgan jarayon panelini oching yoki BILLING_MONGODB_URI ni belgilang.
trouble-needs-events = Mijoz hodisalarini qabul qilish bu jarayonda sozlanmagan. U ishlayotgan jarayon panelini oching yoki KAFKA_BROKERS ni belgilang.
trouble-needs-notifications = Bu jarayonda bildirishnomalar o‘chirilgan. TELEGRAM_BOT_TOKEN va TELEGRAM_GROUP_ID ni belgilang.
trouble-needs-any-role = Bu jarayonda ma’lumotlar bazasi bor birorta rol sozlanmagan.
trouble-not-found = Topilmadi
trouble-no-page = Bunday sahifa yo‘q.
trouble-no-job = Navbatda { $id } vazifasi yo‘q. U tugagach o‘chirilgan bo‘lishi mumkin.
trouble-no-topic = { $topic } mavzusi yo‘q.
trouble-no-message = { $place } joyida xabar yo‘q.
trouble-refused = Buni bajarib bo‘lmaydi
trouble-job-state = { $id } vazifasining holati: { $state }; bu faqat { $expected } holatida mumkin.
trouble-job-locked = { $id } vazifasi hozir bajarilmoqda. Tugashini kuting.
trouble-failed = Nimadir buzildi
trouble-failed-advice = Qayta urinish yordam berishi mumkin. Bermasa, bu jarayon jurnali ko‘proq aytadi.
condition-up = ishlayapti
condition-degraded = uzilishlar bilan
condition-down = ishlamayapti
state-waiting = kutmoqda
state-prioritized = ustuvor
state-delayed = kechiktirilgan
state-active = bajarilmoqda
state-completed = bajarilgan
state-failed = xato bilan
