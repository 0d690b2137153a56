# Bitta vazifa.
job-title = { $id }-vazifa
job-next = Keyin nima bo‘ladi
job-next-paused = Navbat to‘xtatib turilgan. Vazifa navbat davom ettirilguncha kutadi.
job-next-waiting = Oldidagi vazifalardan keyin uni birinchi bo‘sh ishchi oladi.
job-next-prioritized = Uning ustuvorligi { $priority }: avval ustuvorligi yo‘q va raqami kichik vazifalar bajariladi.
job-next-retry-at = Keyingi urinish vaqti: { $at }. Muvaffaqiyatsiz urinishlar: { $attempts }. «Hozir bajarish» uni darhol boshlaydi.
job-next-delayed = U { $at } gacha kechiktirilgan. «Hozir bajarish» uni darhol boshlaydi.
job-next-active = Uni hozir ishchi bajarmoqda.
job-next-stalled = U bajarilmoqda deb belgilangan, lekin hech bir ishchi uni ushlab turmayapti: ishchisi o‘chib qolgan. Yarim daqiqa ichida boshqasi olib, to‘xtagan joyidan davom ettiradi.
job-next-completed = U bajarildi. Boshqa hech narsa bo‘lmaydi.
job-next-failed = U butunlay bajarilmadi va o‘z-o‘zidan boshqa hech narsa bo‘lmaydi. Sababini bartaraf etib, «Qayta bajarish»ni bosing: Billzda amalga oshgan ish ikki marta qilinmaydi.
job-next-failed-cancelled = U butunlay bajarilmadi va Billzda hammasi bekor qilindi. «Qayta bajarish» buyurtmani birinchi qadamdan yangidan rasmiylashtiradi.
job-next-compensating = Buyurtmani rasmiylashtirib bo‘lmaydi; Billzda qilingan ishlarni ishchi muvaffaqiyatli bo‘lguncha qayta-qayta bekor qilmoqda. Kuting.
job-next-breaker = Billz javob bermayapti: saqlagich chaqiruvlarni { $at } gacha ushlab turadi. Shungacha vazifalar navbatda kutadi.
job-next-budget = { $count ->
    [one] Bu jarayonning { $count } ta chaqiruvi Billz chaqiruvlari byudjetini kutmoqda. To‘lovlar birinchi o‘tadi.
   *[other] Bu jarayonning { $count } ta chaqiruvi Billz chaqiruvlari byudjetini kutmoqda. To‘lovlar birinchi o‘tadi.
}
job-next-no-worker = Navbatga hech bir ishchi ulanmagan. Bittasini ishga tushiring.
job-next-lost = Bu vazifa navbatda yo‘q, daftar esa u qanday tugaganini bilmaydi. Yuboruvchi uni o‘sha korrelyatsiya identifikatori bilan qayta qo‘shsin: bajarilgan ish ikki marta qilinmaydi.
job-next-gone = Navbat bu vazifani endi saqlamaydi. Uni yana bajarish uchun yuboruvchi qayta qo‘shsin.
job-not-in-queue = Navbat bu vazifani endi saqlamaydi; daftarda qolgani shu.
job-retry = Qayta bajarish
job-retry-question = Bu vazifa qayta bajarilsinmi? Billzda amalga oshgan ish ikki marta qilinmaydi; bekor qilingan buyurtma yangidan rasmiylashtiriladi.
job-retried = Vazifa yana navbatda.
job-run-now = Hozir bajarish
job-run-now-question = Bu vazifa hammasidan oldin bajarilsinmi?
job-runs-now = Vazifa navbat boshida turibdi.
job-promote = Kechiktirishni bekor qilish
job-promote-question = Kechiktirish bekor qilinib, vazifa navbat oxiriga qo‘yilsinmi?
job-promoted = Vazifa navbatda kutmoqda.
job-remove = O‘chirish
job-remove-question = Bu vazifa navbatdan o‘chirilsinmi? Qilingan ish qoladi, qilinmagani qilinmaydi.
job-removed = { $id }-vazifa o‘chirildi.
job-reopen = Shu yerdan qayta tekshirish
job-reopen-question = Bu qadam va undan keyingilari Billzda qayta tekshirilsinmi? U yerda amalga oshgan qadam takrorlanmaydi.
job-reopened = { $count ->
    [one] Keyingi urinish { $count } ta qadamni qayta tekshiradi.
   *[other] Keyingi urinish { $count } ta qadamni qayta tekshiradi.
}
job-busy = Bu buyurtma bilan hozir ishchi shug‘ullanmoqda. Urinishi tugashini kuting.
job-facts = Ma’lumotlar
job-name = Nomi
job-began = Oxirgi urinish boshlangan
job-priority = Ustuvorlik
job-progress = Bajarilishi
job-order = Buyurtmani ochish
job-saga = Buyurtmaning Billzga yo‘li
job-saga-empty = Hali birorta qadam qo‘yilmagan.
job-saga-running = yo‘lda
job-saga-placed = rasmiylashtirildi
job-saga-compensating = bekor qilinmoqda
job-saga-cancelled = bekor qilindi
job-saga-obstacle = Bekor qilish hozircha bo‘lmadi:
job-saga-due = keyingi urinish
job-step-create-draft = Qoralama yaratish
job-step-create-client = Billzda mijoz yaratish
job-step-client = Mijoz Billzda ma’lum
job-step-attach-client = Mijozni biriktirish
job-step-add-item = { $product } mahsulotini qo‘shish
job-step-discount = Chegirma berish
job-step-park = Sotuvni kechiktirish
job-step-pay = Sotuvni to‘lash
job-step-strays = Javobi yo‘qolgan qoralamalarni o‘chirish
job-step-other = { $name } qadami
job-step-done = bajarildi
job-step-open = natijasi noma’lum
job-why-placed = Takrorlanmaydi: buyurtma rasmiylashtirilgan.
job-why-being-taken-back = Takrorlanmaydi: buyurtma bekor qilinmoqda.
job-why-taken-back = Hammasi bekor qilingan; «Qayta bajarish» yangidan boshlaydi.
job-why-under-way = Buyurtma allaqachon yo‘lda.
job-why-payment = Takrorlanmaydi: to‘lov boshlangan, natijasini faqat Billzdan o‘qish aytadi. Shunda hech kim ikki marta to‘lamaydi.
job-why-parked = Takrorlanmaydi: sotuv kechiktirilgan, tarkibi o‘zgarmaydi.
job-why-another = Takrorlanmaydi: ikkinchi qoralama yoki mijoz paydo bo‘lishi mumkin.
job-why-open = Keyingi urinish uni Billzda baribir tekshiradi.
job-why-no-step = Bunday qadam yo‘q.
job-attempts = Urinishlar va Billz chaqiruvlari
job-attempts-none = Urinish yozilmagan. Jarayoni o‘chib qolgan urinish yozuv qoldirmaydi, faqat qadamlari qoladi.
job-attempt = { $number }-urinish
job-outcome-retried = bajarilmadi, qayta uriniladi
job-outcome-handed-back = navbatga qaytarildi
job-outcome-put-off = kechiktirildi
job-calls = Billz chaqiruvlari
job-calls-none = Billz chaqirilmagan.
job-call = Chaqiruv
job-call-outcome = Natija
job-call-at = Qachon
job-call-took = Davomiyligi (ms, byudjetni kutish bilan)
job-ledger = Daftarda
job-ledger-job = Oxirgi bajargan vazifa
job-payload = Mazmuni
job-redacted = Shaxsiy ma’lumotlar va sirlar *** bilan almashtirilgan.
job-result = Natija
job-options = Parametrlar
job-logs = Jurnal
job-logs-none = Vazifa jurnal yozmagan.
job-logs-hidden = { $count ->
    [one] Eskiroq { $count } ta satr ko‘rsatilmagan.
   *[other] Eskiroq { $count } ta satr ko‘rsatilmagan.
}
job-trace = Muvaffaqiyatsiz urinish
