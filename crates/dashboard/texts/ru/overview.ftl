# Is everything all right.
overview-title = Обзор
overview-fine = Всё в порядке.
overview-concerns = { $count ->
    [one] { $count } повод присмотреться
    [few] { $count } повода присмотреться
   *[other] { $count } поводов присмотреться
}
overview-as-of = По состоянию на
overview-orders = Заказы
overview-billing = Биллинг
overview-billz = Billz
overview-processes = Процессы
overview-no-processes = За последние секунды ни один процесс не подал признаков жизни.
overview-since = с
overview-oldest = самое старое ждёт
overview-workers = обработчиков
overview-last-hour = Последний час
overview-completed = заданий выполнено
overview-failed = заданий не удалось окончательно
overview-retried = попыток будет повторено
overview-job-time = время задания: половина / 95 %
overview-notified = уведомлений отправлено
overview-calls = вызовов
overview-calls-failed = неудачных вызовов
overview-call-time = время вызова: половина / 95 %
overview-budget-wait = ожидание лимита: половина / 95 %
overview-budget-waiting = вызовов ждут лимита сейчас
overview-breaker = предохранитель
breaker-closed = замкнут: вызовы проходят
breaker-half-open = пробуется один вызов
breaker-open = разомкнут: вызовы удерживаются
overview-requests = запросов
overview-requests-failed = неудачных запросов
overview-request-time = время запроса: половина / 95 %
overview-applied = событий применено
overview-lag = отставание, событий
overview-delay = задержка события: половина / 95 %
overview-set-aside = событий отложено
overview-dead = недоставленных сообщений
overview-charts = Как всё шло
overview-hour = 1 час
overview-day = 24 часа
overview-week = 7 дней
overview-utc = Время на графиках — UTC.
concern-dependency = { $process }: { $dependency } работает не так, как должно.
concern-own-dependency = { $dependency } работает не так, как должно.
concern-away = { $dependency } не отвечает.
concern-breaker = Вызовы Billz удерживаются, так как Billz недоступен.
concern-no-worker = К очереди не подключён ни один обработчик.
concern-oldest = Самое старое задание ждёт уже { $age }.
concern-failed = { $count ->
    [one] За последний час окончательно не удалось { $count } задание.
    [few] За последний час окончательно не удались { $count } задания.
   *[other] За последний час окончательно не удалось { $count } заданий.
}
concern-dead = { $count ->
    [one] За последний час { $count } событие попало в недоставленные.
    [few] За последний час { $count } события попали в недоставленные.
   *[other] За последний час { $count } событий попало в недоставленные.
}
concern-api = { $count ->
    [one] За последний час не удался { $count } запрос к API.
    [few] За последний час не удались { $count } запроса к API.
   *[other] За последний час не удалось { $count } запросов к API.
}
concern-notifications = { $count ->
    [one] За последний час не удалась { $count } попытка уведомления.
    [few] За последний час не удались { $count } попытки уведомления.
   *[other] За последний час не удалось { $count } попыток уведомления.
}
chart-empty = За это время показать нечего.
chart-figures = То же таблицей
chart-from = С
chart-jobs = Задания
chart-completed = выполнено
chart-failed = не удалось
chart-retried = будет повторено
chart-job-time = Время задания
chart-half = половина не дольше
chart-most = 95 % не дольше
chart-waiting = Ожидающие задания
chart-waiting-jobs = заданий
chart-oldest = Возраст самого старого ожидающего задания
chart-oldest-job = возраст
chart-billz = Вызовы Billz
chart-answered = отвечено
chart-budget = Ожидание лимита Billz
chart-budget-waiting = Вызовы, ждущие лимита
chart-calls = вызовов
chart-api = Запросы к API
chart-requests = все
chart-api-time = Время запроса
chart-events = События
chart-applied = применено
chart-dead = недоставлено
chart-set-aside = отложено
chart-lag = Отставание событий
chart-lag-events = событий
