# What pages are made of: lists, troubles, states.
pager-label = Páginas de la lista
pager-range = { $first }–{ $last }
pager-total = { $total ->
    [one] { $total } entrada
   *[other] { $total } entradas
}
pager-first = Primera
pager-previous = Anterior
pager-next = Siguiente
trouble-back = Al resumen
trouble-away = { $name } no responde
trouble-away-advice = { $name } no respondió a tiempo. Lo que no lo necesita sigue funcionando. Vuelva a cargar la página cuando esté de vuelta; si no vuelve, mire si está en marcha y si su dirección es correcta.
trouble-not-configured = No configurado aquí
trouble-needs-worker = El procesador de pedidos no está configurado en este proceso. Abra el panel de un proceso que lo ejecute, o defina BILLZ_TOKEN y BILLZ_SHOP_ID.
trouble-needs-billing = La facturación no está configurada en este proceso. Abra el panel de un proceso que la ejecute, o defina BILLING_MONGODB_URI.
trouble-needs-events = El consumidor de eventos de clientes no está configurado en este proceso. Abra el panel de un proceso que lo ejecute, o defina KAFKA_BROKERS.
trouble-needs-notifications = Las notificaciones están desactivadas en este proceso. Defina TELEGRAM_BOT_TOKEN y TELEGRAM_GROUP_ID.
trouble-needs-any-role = En este proceso no hay ningún rol con base de datos.
trouble-not-found = No encontrado
trouble-no-page = No existe esa página.
trouble-no-job = No hay ningún trabajo { $id } en la cola. Puede que se eliminara al terminar.
trouble-no-topic = No existe el tema { $topic }.
trouble-no-message = No hay ningún mensaje en { $place }.
trouble-refused = No se puede hacer
trouble-job-state = El trabajo { $id } está en estado { $state }; esto solo se puede hacer en estado { $expected }.
trouble-job-locked = Un proceso está ejecutando el trabajo { $id } en este momento. Espere a que termine.
trouble-failed = Algo se ha roto
trouble-failed-advice = Quizá ayude intentarlo de nuevo. Si no, el registro de este proceso dice más.
condition-up = funciona
condition-degraded = a medias
condition-down = caído
state-waiting = en espera
state-prioritized = con prioridad
state-delayed = aplazados
state-active = en curso
state-completed = terminados
state-failed = fallidos
