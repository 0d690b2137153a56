# Events that wait for their customers.
set-aside-title = Отложенные события
set-aside-about = События о клиентах, которые ещё не известны. Когда клиент появится, они применятся сами, а по истечении срока попадут в недоставленные.
set-aside-user = ID клиента
set-aside-search = Найти
set-aside-empty = Ожидающих событий нет.
set-aside-kind = Событие
set-aside-from = Откуда
set-aside-sent = Отправлено
set-aside-since = Ждёт с
set-aside-until = Истекает
set-aside-event-title = { $kind }, отложено
set-aside-facts = Что известно
set-aside-is-there = – уже есть
set-aside-is-not-there = – ещё не известен
set-aside-apply = Применить сейчас
set-aside-discard = Отбросить
set-aside-discard-question = Отбросить это событие навсегда? Оно никогда не подействует.
set-aside-discarded = { $kind } отброшено.
set-aside-gone = Это событие больше не ждёт: оно применено, отброшено или истекло.
set-aside-no-customer = Клиента { $id } всё ещё нет; событие продолжает ждать.
set-aside-applied = { $count ->
    [one] Применено { $count } событие.
    [few] Применено { $count } события.
   *[other] Применено { $count } событий.
}
sent-title = Как было отправлено
sent-masked = Личные данные скрыты: от букв и цифр оставлена только форма.
sent-key = Ключ
sent-headers = Заголовки
sent-value = Значение
sent-hex = не текст; байты шестнадцатерично
sent-nothing = Пусто.
