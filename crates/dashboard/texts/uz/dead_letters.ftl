# Messages that could never be applied.
dead-letters-title = Yetkazilmagan xabarlar
dead-letters-empty = Bu yerda yetkazilmagan xabar yo‘q.
dead-letters-cut = Faqat eng yangi 500 tasi ko‘riladi; eskirog‘ini `billwright events dlq list` ko‘rsatadi.
dead-letters-any = istalgan
dead-letters-search = Qidirish
dead-letters-code = Sabab turi
dead-letters-topic = Mavzu
dead-letters-reason = Sabab
dead-letters-place = Joyi
dead-letters-since = Vaqti
dead-letters-bytes = Bayt
dead-letters-state = Holati
dead-letter-new = qaytarilmagan
dead-letter-replayed = qaytarilgan
dead-letters-choose = Tanlash
dead-letters-choose-one = { $place } ni tanlash
dead-letters-replay-chosen = Tanlanganlarni qaytarish…
dead-letters-replay-all = { $count ->
    [one] { $count } tasini qaytarish…
   *[other] Barcha { $count } tasini qaytarish…
}
dead-letters-none-chosen = Hech narsa tanlanmagan yoki topilganlarning hammasi qaytarilgan.
dead-letters-too-many = Bir yo‘la ko‘pi bilan { $most } ta xabar qaytariladi. Kamroq tanlang.
dead-letters-replay-title = Yetkazilmagan xabarlarni qaytarish
dead-letters-replay-goes = { $count ->
    [one] { $count } ta xabar o‘z mavzusiga qaytadi. Hali hech narsa yuborilmadi.
   *[other] { $count } ta xabar o‘z mavzulariga qaytadi. Hali hech narsa yuborilmadi.
}
dead-letters-replay-about = Ular qanday kelgan bo‘lsa shunday, kalit va sarlavhalari bilan yuboriladi. Hali ham qo‘llab bo‘lmaydigani yana yetkazilmagan bo‘ladi; allaqachon qo‘llangani hech narsani o‘zgartirmaydi.
dead-letters-replay-into = Qayerga qaytadi
dead-letters-replay-stays = Qoladi:
dead-letters-replay-now = Hozir qaytarish
dead-letters-replayed = { $count ->
    [one] { $count } ta xabar qaytarildi, { $stayed } tasi qoldi.
   *[other] { $count } ta xabar qaytarildi, { $stayed } tasi qoldi.
}
dead-letter-title = Yetkazilmagan xabar { $place }
dead-letter-facts = Ma’lum narsalar
dead-letter-source = Qayerdan kelgan
dead-letter-no-source = Sarlavhalarda aytilmagan.
dead-letter-replay = Qaytarish…
