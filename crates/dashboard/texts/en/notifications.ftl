# Messages to the Telegram group.
notifications-title = Notifications
notifications-waiting = Waiting
notifications-sent = Sent
notifications-failed = Failed
notifications-empty = There are none.
notifications-when = When
notifications-kind = Kind
notifications-text = Text
notifications-count = Stands for
notifications-attempts = Attempts
notifications-due = due
notifications-error = problem
notifications-again = Send again
notifications-test = Send a test message
notifications-test-queued = The test message is in the queue; it is sent within seconds.
notifications-queued = The message is in the queue once more.
notifications-unknown = There is no such message, or it waits to be sent already.
