# Is everything all right.
overview-title = Resumen
overview-fine = Todo está en orden.
overview-concerns = { $count ->
    [one] { $count } cosa que mirar
   *[other] { $count } cosas que mirar
}
overview-as-of = Estado a las
overview-orders = Pedidos
overview-billing = Facturación
overview-billz = Billz
overview-processes = Procesos
overview-no-processes = Ningún proceso ha dado señales de vida en los últimos segundos.
overview-since = desde
overview-oldest = el más antiguo espera
overview-workers = procesadores
overview-last-hour = La última hora
overview-completed = trabajos terminados
overview-failed = trabajos fallidos sin remedio
overview-retried = intentos por repetir
overview-job-time = duración de un trabajo: mitad / 95 %
overview-notified = notificaciones enviadas
overview-calls = llamadas
overview-calls-failed = llamadas fallidas
overview-call-time = duración de una llamada: mitad / 95 %
overview-budget-wait = espera del cupo: mitad / 95 %
overview-budget-waiting = llamadas que esperan el cupo ahora
overview-breaker = cortacircuitos
breaker-closed = cerrado: las llamadas pasan
breaker-half-open = se prueba una llamada
breaker-open = abierto: las llamadas se retienen
overview-requests = peticiones
overview-requests-failed = peticiones fallidas
overview-request-time = duración de una petición: mitad / 95 %
overview-applied = eventos aplicados
overview-lag = eventos de retraso
overview-delay = demora de un evento: mitad / 95 %
overview-set-aside = eventos apartados
overview-dead = mensajes muertos
overview-charts = Cómo ha ido
overview-hour = 1 hora
overview-day = 24 horas
overview-week = 7 días
overview-utc = Las horas de los gráficos son UTC.
concern-dependency = { $process }: { $dependency } no funciona como debería.
concern-own-dependency = { $dependency } no funciona como debería.
concern-away = { $dependency } no responde.
concern-breaker = Las llamadas a Billz se retienen, porque Billz no está accesible.
concern-no-worker = No hay ningún procesador conectado a la cola.
concern-oldest = El trabajo más antiguo lleva esperando { $age }.
concern-failed = { $count ->
    [one] { $count } trabajo falló sin remedio en la última hora.
   *[other] { $count } trabajos fallaron sin remedio en la última hora.
}
concern-dead = { $count ->
    [one] { $count } evento fue a los mensajes muertos en la última hora.
   *[other] { $count } eventos fueron a los mensajes muertos en la última hora.
}
concern-api = { $count ->
    [one] { $count } petición a la API falló en la última hora.
   *[other] { $count } peticiones a la API fallaron en la última hora.
}
concern-notifications = { $count ->
    [one] { $count } intento de notificación falló en la última hora.
   *[other] { $count } intentos de notificación fallaron en la última hora.
}
chart-empty = No hay nada que mostrar en este tiempo.
chart-figures = Lo mismo como tabla
chart-from = Desde
chart-jobs = Trabajos
chart-completed = terminados
chart-failed = fallidos
chart-retried = por repetir
chart-job-time = Duración de un trabajo
chart-half = la mitad, como mucho
chart-most = el 95 %, como mucho
chart-waiting = Trabajos en espera
chart-waiting-jobs = trabajos
chart-oldest = Antigüedad del trabajo que más espera
chart-oldest-job = antigüedad
chart-billz = Llamadas a Billz
chart-answered = respondidas
chart-budget = Espera del cupo de Billz
chart-budget-waiting = Llamadas que esperan el cupo
chart-calls = llamadas
chart-api = Peticiones a la API
chart-requests = todas
chart-api-time = Duración de una petición
chart-events = Eventos
chart-applied = aplicados
chart-dead = mensajes muertos
chart-set-aside = apartados
chart-lag = Eventos de retraso
chart-lag-events = eventos
