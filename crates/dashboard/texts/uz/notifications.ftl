# Messages to the Telegram group.
notifications-title = Bildirishnomalar
notifications-waiting = Kutmoqda
notifications-sent = Yuborilgan
notifications-failed = Yuborilmagan
notifications-empty = Bunday xabarlar yo‘q.
notifications-when = Qachon
notifications-kind = Turi
notifications-text = Matn
notifications-count = Nechta xabar
notifications-attempts = Urinishlar
notifications-due = muddati
notifications-error = to‘siq
notifications-again = Qayta yuborish
notifications-test = Sinov xabarini yuborish
notifications-test-queued = Sinov xabari navbatda; bir necha soniyada yuboriladi.
notifications-queued = Xabar yana navbatga qo‘yildi.
notifications-unknown = Bunday xabar yo‘q yoki u allaqachon yuborilishni kutmoqda.
