# Is everything all right.
overview-title = Umumiy ko‘rinish
overview-fine = Hammasi joyida.
overview-concerns = { $count ->
    [one] E’tibor talab qiladigan { $count } ta narsa bor
   *[other] E’tibor talab qiladigan { $count } ta narsa bor
}
overview-as-of = Holat vaqti:
overview-orders = Buyurtmalar
overview-billing = Billing
overview-billz = Billz
overview-processes = Jarayonlar
overview-no-processes = So‘nggi soniyalarda birorta jarayon o‘zidan darak bermadi.
overview-since = ishga tushgan:
overview-oldest = eng eskisi kutmoqda
overview-workers = ishlovchilar
overview-last-hour = So‘nggi soat
overview-completed = bajarilgan vazifalar
overview-failed = butunlay bajarilmagan vazifalar
overview-retried = takrorlanadigan urinishlar
overview-job-time = vazifa vaqti: yarmi / 95 %
overview-notified = yuborilgan bildirishnomalar
overview-calls = chaqiruvlar
overview-calls-failed = muvaffaqiyatsiz chaqiruvlar
overview-call-time = chaqiruv vaqti: yarmi / 95 %
overview-budget-wait = limitni kutish: yarmi / 95 %
overview-budget-waiting = hozir limitni kutayotgan chaqiruvlar
overview-breaker = saqlagich
breaker-closed = yopiq: chaqiruvlar o‘tadi
breaker-half-open = bitta chaqiruv sinalmoqda
breaker-open = ochiq: chaqiruvlar to‘xtatilgan
overview-requests = so‘rovlar
overview-requests-failed = muvaffaqiyatsiz so‘rovlar
overview-request-time = so‘rov vaqti: yarmi / 95 %
overview-applied = qo‘llangan hodisalar
overview-lag = ortda qolgan hodisalar
overview-delay = hodisa kechikishi: yarmi / 95 %
overview-set-aside = chetga olingan hodisalar
overview-dead = yetkazilmagan xabarlar
overview-charts = Qanday o‘tdi
overview-hour = 1 soat
overview-day = 24 soat
overview-week = 7 kun
overview-utc = Grafiklardagi vaqt UTC bo‘yicha.
concern-dependency = { $process }: { $dependency } kerakli darajada ishlamayapti.
concern-own-dependency = { $dependency } kerakli darajada ishlamayapti.
concern-away = { $dependency } javob bermayapti.
concern-breaker = Billz bilan aloqa yo‘qligi uchun unga chaqiruvlar to‘xtatilgan.
concern-no-worker = Navbatga birorta ishlovchi ulanmagan.
concern-oldest = Eng eski vazifa { $age } dan beri kutmoqda.
concern-failed = { $count ->
    [one] So‘nggi soatda { $count } ta vazifa butunlay bajarilmadi.
   *[other] So‘nggi soatda { $count } ta vazifa butunlay bajarilmadi.
}
concern-dead = { $count ->
    [one] So‘nggi soatda { $count } ta hodisa yetkazilmaganlarga tushdi.
   *[other] So‘nggi soatda { $count } ta hodisa yetkazilmaganlarga tushdi.
}
concern-api = { $count ->
    [one] So‘nggi soatda API ga { $count } ta so‘rov bajarilmadi.
   *[other] So‘nggi soatda API ga { $count } ta so‘rov bajarilmadi.
}
concern-notifications = { $count ->
    [one] So‘nggi soatda bildirishnoma yuborishning { $count } ta urinishi chiqmadi.
   *[other] So‘nggi soatda bildirishnoma yuborishning { $count } ta urinishi chiqmadi.
}
chart-empty = Bu vaqtda ko‘rsatadigan narsa yo‘q.
chart-figures = Jadval ko‘rinishida
chart-from = Boshlab
chart-jobs = Vazifalar
chart-completed = bajarilgan
chart-failed = bajarilmagan
chart-retried = takrorlanadi
chart-job-time = Vazifa vaqti
chart-half = yarmi ko‘pi bilan
chart-most = 95 % ko‘pi bilan
chart-waiting = Kutayotgan vazifalar
chart-waiting-jobs = vazifalar
chart-oldest = Eng eski kutayotgan vazifaning yoshi
chart-oldest-job = yoshi
chart-billz = Billz chaqiruvlari
chart-answered = javob berilgan
chart-budget = Billz limitini kutish
chart-budget-waiting = Limitni kutayotgan chaqiruvlar
chart-calls = chaqiruvlar
chart-api = API so‘rovlari
chart-requests = hammasi
chart-api-time = So‘rov vaqti
chart-events = Hodisalar
chart-applied = qo‘llangan
chart-dead = yetkazilmagan
chart-set-aside = chetga olingan
chart-lag = Ortda qolgan hodisalar
chart-lag-events = hodisalar
