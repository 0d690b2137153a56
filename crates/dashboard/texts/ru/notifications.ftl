# Messages to the Telegram group.
notifications-title = Уведомления
notifications-waiting = Ждут
notifications-sent = Отправлены
notifications-failed = Не удались
notifications-empty = Таких нет.
notifications-when = Когда
notifications-kind = Вид
notifications-text = Текст
notifications-count = Объединяет
notifications-attempts = Попыток
notifications-due = срок
notifications-error = помеха
notifications-again = Отправить снова
notifications-test = Отправить пробное сообщение
notifications-test-queued = Пробное сообщение в очереди; оно уйдёт за несколько секунд.
notifications-queued = Сообщение снова в очереди.
notifications-unknown = Такого сообщения нет, или оно уже ждёт отправки.
