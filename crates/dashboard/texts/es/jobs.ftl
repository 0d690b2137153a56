# Trabajos: en la cola, en el registro, buscados y muchos a la vez.
jobs-title = Trabajos
jobs-list = Trabajos
jobs-id = Trabajo
jobs-state = Estado
jobs-type = Tipo
jobs-added = Añadido
jobs-ended = Terminado
jobs-changed = Último cambio
jobs-attempts = Intentos
jobs-correlation = Id de correlación
jobs-reason = Fallo
jobs-order = Pedido
jobs-any = cualquiera
jobs-from = Desde (UTC)
jobs-to = Hasta (UTC)
jobs-filter-button = Mostrar
jobs-time-wrong = No se pudo leer una hora, así que no cuenta. Escríbala así: 2026-11-29T17:45.
jobs-none = No hay trabajos así en la cola.
jobs-none-so-far = Ninguno entre los trabajos mirados hasta ahora. Siga buscando abajo.
jobs-first = Desde el principio
jobs-look-on = Seguir buscando desde el puesto { $place }
jobs-in-queue = Trabajos en la cola
jobs-search = Buscar un trabajo
jobs-search-button = Buscar
jobs-search-hint = El id de un trabajo o de correlación, el número o id de un pedido, el id de una venta en Billz o un teléfono. El teléfono se muestra oculto.
jobs-search-title = Trabajos encontrados
jobs-search-for = Se buscó
jobs-search-bounded = La cola es larga: solo se miraron los primeros trabajos de cada estado. Lo que ya se ejecutó está en el historial de abajo, fuera cuando fuera.
jobs-history-title = Historial
jobs-history-hint = Todas las operaciones de los últimos 30 días, también aquellas cuyo trabajo la cola ya no guarda. Los trabajos que solo leen no están.
jobs-history-none = El registro no tiene operaciones así.
jobs-ledger-running = en curso
jobs-ledger-waiting = se reintentará
jobs-bulk-title = Muchos trabajos a la vez
jobs-bulk-action = Acción
jobs-bulk-retry = Reintentar todos estos
jobs-bulk-promote = Ejecutar todos estos ahora
jobs-bulk-remove = Eliminar todos estos
jobs-bulk-wrong = El filtro o la acción no son correctos: se espera un estado y un tipo que existan, horas como 2026-11-29T17:45 y una acción que encaje con el estado.
jobs-bulk-count = { $count ->
    [one] Coincide { $count } trabajo.
   *[other] Coinciden { $count } trabajos.
}
jobs-bulk-count-more = { $count ->
    [one] Coincide { $count } trabajo entre los primeros { $looked }; puede haber más, que requieren otra pasada.
   *[other] Coinciden { $count } trabajos entre los primeros { $looked }; puede haber más, que requieren otra pasada.
}
jobs-bulk-question = Se actúa sobre todos los trabajos que el filtro tome en ese momento. Los que hayan cambiado entretanto se omiten.
jobs-bulk-done = Hechos: { $done }. Omitidos porque habían cambiado o no es seguro: { $skipped }. Fallidos: { $broken }. Quedan para otra pasada: { $left }.
