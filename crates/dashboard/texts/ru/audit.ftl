# Who did what.
audit-title = Аудит
audit-empty = Здесь ещё никто ничего не делал.
audit-when = Когда
audit-who = Кто
audit-action = Действие
audit-target = Над чем
audit-outcome = Итог
audit-address = Откуда
audit-begun = начато
audit-done = сделано
audit-refused = отказано
audit-failed = не удалось
