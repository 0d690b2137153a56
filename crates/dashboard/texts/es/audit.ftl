# Who did what.
audit-title = Auditoría
audit-empty = Aquí nadie ha hecho nada todavía.
audit-when = Cuándo
audit-who = Quién
audit-action = Acción
audit-target = Sobre
audit-outcome = Resultado
audit-address = Desde
audit-begun = empezada
audit-done = hecha
audit-refused = rechazada
audit-failed = fallida
