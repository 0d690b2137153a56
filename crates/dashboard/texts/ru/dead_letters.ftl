# Messages that could never be applied.
dead-letters-title = Недоставленные сообщения
dead-letters-empty = Недоставленных сообщений здесь нет.
dead-letters-cut = Показаны только 500 новейших; более старые покажет `billwright events dlq list`.
dead-letters-any = любое
dead-letters-search = Найти
dead-letters-code = Вид причины
dead-letters-topic = Тема
dead-letters-reason = Причина
dead-letters-place = Место
dead-letters-since = С
dead-letters-bytes = Байт
dead-letters-state = Состояние
dead-letter-new = не возвращено
dead-letter-replayed = возвращено
dead-letters-choose = Выбор
dead-letters-choose-one = Выбрать { $place }
dead-letters-replay-chosen = Вернуть выбранные…
dead-letters-replay-all = { $count ->
    [one] Вернуть { $count }…
    [few] Вернуть все { $count }…
   *[other] Вернуть все { $count }…
}
dead-letters-none-chosen = Ничего не выбрано, или всё найденное уже возвращено.
dead-letters-too-many = За один раз возвращается не более { $most } сообщений. Выберите меньше.
dead-letters-replay-title = Вернуть недоставленные сообщения
dead-letters-replay-goes = { $count ->
    [one] { $count } сообщение вернётся в свою тему. Пока ничего не отправлено.
    [few] { $count } сообщения вернутся в свои темы. Пока ничего не отправлено.
   *[other] { $count } сообщений вернутся в свои темы. Пока ничего не отправлено.
}
dead-letters-replay-about = Они отправляются как пришли, с ключами и заголовками. Что применить всё ещё нельзя, снова станет недоставленным; что уже применено, ничего не изменит.
dead-letters-replay-into = Вернётся в
dead-letters-replay-stays = Останется:
dead-letters-replay-now = Вернуть сейчас
dead-letters-replayed = { $count ->
    [one] Возвращено { $count } сообщение, осталось: { $stayed }.
    [few] Возвращено { $count } сообщения, осталось: { $stayed }.
   *[other] Возвращено { $count } сообщений, осталось: { $stayed }.
}
dead-letter-title = Недоставленное сообщение { $place }
dead-letter-facts = Что известно
dead-letter-source = Откуда
dead-letter-no-source = Заголовки этого не говорят.
dead-letter-replay = Вернуть…
