# Events that wait for their customers.
set-aside-title = Kutayotgan hodisalar
set-aside-about = Hali noma’lum mijozlar haqidagi hodisalar. Mijoz paydo bo‘lganda o‘zi qo‘llanadi, muddati tugasa yetkazilmaganlarga o‘tadi.
set-aside-user = Mijoz ID
set-aside-search = Qidirish
set-aside-empty = Kutayotgan hodisa yo‘q.
set-aside-kind = Hodisa
set-aside-from = Qayerdan
set-aside-sent = Yuborilgan
set-aside-since = Kutish boshlangan
set-aside-until = Muddati
set-aside-event-title = { $kind }, kutmoqda
set-aside-facts = Ma’lum narsalar
set-aside-is-there = – endi bor
set-aside-is-not-there = – hali noma’lum
set-aside-apply = Hozir qo‘llash
set-aside-discard = Bekor qilish
set-aside-discard-question = Hodisa butunlay bekor qilinsinmi? U hech qachon qo‘llanmaydi.
set-aside-discarded = { $kind } bekor qilindi.
set-aside-gone = Bu hodisa endi kutmayapti: qo‘llangan, bekor qilingan yoki muddati tugagan.
set-aside-no-customer = { $id } mijozi hali yo‘q; hodisa kutishda davom etadi.
set-aside-applied = { $count ->
    [one] { $count } ta hodisa qo‘llandi.
   *[other] { $count } ta hodisa qo‘llandi.
}
sent-title = Yuborilgan holida
sent-masked = Shaxsiy ma’lumotlar yashirilgan: harf va raqamlarning faqat shakli qoldirilgan.
sent-key = Kalit
sent-headers = Sarlavhalar
sent-value = Qiymat
sent-hex = matn emas; baytlar o‘n oltilik ko‘rinishda
sent-nothing = Bo‘sh.
