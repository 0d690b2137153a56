# Vazifalar: navbatda, daftarda, qidirilgan va bir nechtasi birdan.
jobs-title = Vazifalar
jobs-list = Vazifalar
jobs-id = Vazifa
jobs-state = Holati
jobs-type = Turi
jobs-added = Qo‘shilgan
jobs-ended = Tugagan
jobs-changed = O‘zgargan
jobs-attempts = Urinishlar
jobs-correlation = Korrelyatsiya identifikatori
jobs-reason = Xato sababi
jobs-order = Buyurtma
jobs-any = istalgan
jobs-from = Boshlab (UTC)
jobs-to = Gacha (UTC)
jobs-filter-button = Ko‘rsatish
jobs-time-wrong = Vaqtni o‘qib bo‘lmadi, shuning uchun u hisobga olinmadi. Shunday yozing: 2026-11-29T17:45.
jobs-none = Navbatda bunday vazifalar yo‘q.
jobs-none-so-far = Ko‘rib chiqilgan vazifalar orasida yo‘q. Qidirishni quyida davom ettiring.
jobs-first = Boshidan
jobs-look-on = { $place }-o‘rindan davom ettirish
jobs-in-queue = Navbatdagi vazifalar
jobs-search = Vazifani topish
jobs-search-button = Topish
jobs-search-hint = Vazifa yoki korrelyatsiya identifikatori, buyurtma raqami yoki identifikatori, Billzdagi sotuv identifikatori yoki telefon raqami. Telefon raqami yashirilgan holda ko‘rsatiladi.
jobs-search-title = Topilgan vazifalar
jobs-search-for = Qidirildi
jobs-search-bounded = Navbat uzun: har bir holatdagi faqat birinchi vazifalar ko‘rib chiqildi. Bajarilgan ishlar qachon bo‘lganidan qat’i nazar quyidagi tarixdan topiladi.
jobs-history-title = Tarix
jobs-history-hint = Oxirgi 30 kunning barcha amallari, jumladan vazifasi navbatda qolmaganlari ham. Faqat o‘qiydigan vazifalar bu yerda yo‘q.
jobs-history-none = Daftarda bunday amallar yo‘q.
jobs-ledger-running = bajarilmoqda
jobs-ledger-waiting = qayta uriniladi
jobs-bulk-title = Bir nechta vazifa birdan
jobs-bulk-action = Amal
jobs-bulk-retry = Bularning hammasini qayta bajarish
jobs-bulk-promote = Bularning hammasini hozir ishga tushirish
jobs-bulk-remove = Bularning hammasini o‘chirish
jobs-bulk-wrong = Filtr yoki amal noto‘g‘ri: mavjud holat va tur, 2026-11-29T17:45 ko‘rinishidagi vaqt va holatga mos amal kutilgan edi.
jobs-bulk-count = { $count ->
    [one] { $count } ta vazifa mos keladi.
   *[other] { $count } ta vazifa mos keladi.
}
jobs-bulk-count-more = { $count ->
    [one] Birinchi { $looked } tadan { $count } ta vazifa mos keladi; yana bo‘lishi mumkin, ular uchun yana bir marta bosiladi.
   *[other] Birinchi { $looked } tadan { $count } ta vazifa mos keladi; yana bo‘lishi mumkin, ular uchun yana bir marta bosiladi.
}
jobs-bulk-question = Amal shu paytda filtrga mos keladigan har bir vazifaga tegishli. Shu orada o‘zgarib qolgan vazifalar o‘tkazib yuboriladi.
jobs-bulk-done = Bajarildi: { $done }. O‘zgargani yoki xavfsiz emasligi uchun o‘tkazib yuborildi: { $skipped }. Bajarilmadi: { $broken }. Keyingi safarga qoldi: { $left }.
