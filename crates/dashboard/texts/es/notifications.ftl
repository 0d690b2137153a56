# Messages to the Telegram group.
notifications-title = Notificaciones
notifications-waiting = En espera
notifications-sent = Enviadas
notifications-failed = Fallidas
notifications-empty = No hay ninguna.
notifications-when = Cuándo
notifications-kind = Tipo
notifications-text = Texto
notifications-count = Reúne
notifications-attempts = Intentos
notifications-due = prevista
notifications-error = problema
notifications-again = Enviar de nuevo
notifications-test = Enviar un mensaje de prueba
notifications-test-queued = El mensaje de prueba está en la cola; se envía en segundos.
notifications-queued = El mensaje está otra vez en la cola.
notifications-unknown = No existe ese mensaje, o ya está esperando a ser enviado.
