# What pages are made of: lists, troubles, states.
pager-label = Страницы списка
pager-range = { $first }–{ $last }
pager-total = { $total ->
    [one] { $total } запись
    [few] { $total } записи
   *[other] { $total } записей
}
pager-first = В начало
pager-previous = Назад
pager-next = Дальше
trouble-back = К обзору
trouble-away = { $name } не отвечает
trouble-away-advice = { $name } не ответил вовремя. Всё, чему он не нужен, работает. Загрузите страницу снова, когда он вернётся; если он не возвращается, проверьте, запущен ли он и верен ли его адрес.
trouble-not-configured = Здесь не настроено
trouble-needs-worker = Обработчик заказов в этом процессе не настроен. Откройте панель процесса, где он работает, или задайте BILLZ_TOKEN и BILLZ_SHOP_ID.
trouble-needs-billing = Биллинг в этом процессе не настроен. Откройте панель процесса, где он работает, или задайте BILLING_MONGODB_URI.
trouble-needs-events = Приём событий о клиентах в этом процессе не настроен. Откройте панель процесса, где он работает, или задайте KAFKA_BROKERS.
trouble-needs-notifications = Уведомления в этом процессе выключены. Задайте TELEGRAM_BOT_TOKEN и TELEGRAM_GROUP_ID.
trouble-needs-any-role = В этом процессе не настроена ни одна роль с базой данных.
trouble-not-found = Не найдено
trouble-no-page = Такой страницы нет.
trouble-no-job = Задания { $id } нет в очереди. Возможно, оно удалено после завершения.
trouble-no-topic = Темы { $topic } нет.
trouble-no-message = По адресу { $place } сообщения нет.
trouble-refused = Это невозможно
trouble-job-state = Состояние задания { $id }: { $state }; это возможно только в состоянии { $expected }.
trouble-job-locked = Задание { $id } сейчас выполняется. Подождите его завершения.
trouble-failed = Что-то сломалось
trouble-failed-advice = Возможно, поможет повтор. Если нет, больше скажет журнал этого процесса.
condition-up = работает
condition-degraded = с перебоями
condition-down = не работает
state-waiting = ждут
state-prioritized = с приоритетом
state-delayed = отложены
state-active = выполняются
state-completed = выполнены
state-failed = с ошибкой
