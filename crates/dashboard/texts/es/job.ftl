# Un trabajo.
job-title = Trabajo { $id }
job-next = Qué pasará ahora
job-next-paused = La cola está en pausa. El trabajo espera hasta que alguien la reanude.
job-next-waiting = Lo toma el próximo worker libre, después de los trabajos que van delante.
job-next-prioritized = Tiene prioridad { $priority }: van antes los trabajos sin prioridad y los de número menor.
job-next-retry-at = El próximo intento toca el { $at }. Intentos fallidos hasta ahora: { $attempts }. «Ejecutar ahora» lo hace de inmediato.
job-next-delayed = Se aplazó hasta el { $at }. «Ejecutar ahora» lo ejecuta de inmediato.
job-next-active = Un worker lo está ejecutando ahora mismo.
job-next-stalled = Consta como en ejecución, pero ningún worker lo retiene: el suyo murió. Otro lo toma en medio minuto y sigue donde quedó.
job-next-completed = Está hecho. No pasa nada más.
job-next-failed = Falló definitivamente y no pasa nada más por sí solo. Quite la causa y pulse «Reintentar»: lo que ya tuvo efecto en Billz no se hace dos veces.
job-next-failed-cancelled = Falló definitivamente y todo se deshizo en Billz. «Reintentar» vuelve a hacer el pedido desde el primer paso.
job-next-compensating = El pedido no se puede hacer, y el worker está deshaciendo lo hecho en Billz, una y otra vez hasta lograrlo. Espere.
job-next-breaker = Billz no responde: el cortacircuitos retiene las llamadas hasta el { $at }. Hasta entonces los trabajos esperan en la cola.
job-next-budget = { $count ->
    [one] { $count } llamada de este proceso espera el presupuesto de llamadas a Billz. Los pagos van primero.
   *[other] { $count } llamadas de este proceso esperan el presupuesto de llamadas a Billz. Los pagos van primero.
}
job-next-no-worker = No hay ningún worker conectado a la cola. Arranque uno.
job-next-lost = La cola ya no tiene este trabajo y el registro no sabe cómo terminó. Que su productor lo añada de nuevo con el mismo id de correlación: lo hecho no se hace dos veces.
job-next-gone = La cola ya no guarda este trabajo. Para hacerlo otra vez, que su productor lo añada de nuevo.
job-not-in-queue = La cola ya no guarda este trabajo; esto es lo que recuerda el registro.
job-retry = Reintentar
job-retry-question = ¿Reintentar este trabajo? Lo que ya tuvo efecto en Billz no se hace dos veces; un pedido deshecho se hace de nuevo.
job-retried = El trabajo está otra vez en la cola.
job-run-now = Ejecutar ahora
job-run-now-question = ¿Ejecutar este trabajo antes que todos los demás?
job-runs-now = El trabajo está a la cabeza de la cola.
job-promote = Quitar el aplazamiento
job-promote-question = ¿Quitar el aplazamiento y poner el trabajo al final de la cola?
job-promoted = El trabajo espera en la cola.
job-remove = Eliminar
job-remove-question = ¿Eliminar este trabajo de la cola? Lo hecho queda hecho y lo no hecho no se hará.
job-removed = Se eliminó el trabajo { $id }.
job-reopen = Comprobar de nuevo desde aquí
job-reopen-question = ¿Comprobar de nuevo en Billz este paso y los siguientes? Un paso que ya tuvo efecto allí no se repite.
job-reopened = { $count ->
    [one] El próximo intento comprobará de nuevo { $count } paso.
   *[other] El próximo intento comprobará de nuevo { $count } pasos.
}
job-busy = Un worker trabaja ahora en este pedido. Espere a que termine su intento.
job-facts = Datos
job-name = Nombre
job-began = Comienzo del último intento
job-priority = Prioridad
job-progress = Progreso
job-order = Abrir el pedido
job-saga = El camino del pedido a Billz
job-saga-empty = Aún no se dio ningún paso.
job-saga-running = en camino
job-saga-placed = hecho
job-saga-compensating = deshaciéndose
job-saga-cancelled = deshecho
job-saga-obstacle = Aún no se logró deshacerlo:
job-saga-due = próximo intento
job-step-create-draft = Crear el borrador
job-step-create-client = Crear el cliente en Billz
job-step-client = El cliente es conocido en Billz
job-step-attach-client = Asignar el cliente
job-step-add-item = Añadir el producto { $product }
job-step-discount = Dar el descuento
job-step-park = Aparcar la venta
job-step-pay = Pagar la venta
job-step-strays = Borrar borradores cuya respuesta se perdió
job-step-other = Paso { $name }
job-step-done = hecho
job-step-open = resultado desconocido
job-why-placed = No se repite: el pedido está hecho.
job-why-being-taken-back = No se repite: el pedido se está deshaciendo.
job-why-taken-back = Todo se deshizo; «Reintentar» empieza de nuevo.
job-why-under-way = El pedido ya está en camino.
job-why-payment = No se repite: se empezó un pago y solo leer Billz dice qué fue de él. Así nadie paga dos veces.
job-why-parked = No se repite: la venta está aparcada y su contenido no cambia.
job-why-another = No se repite: podría surgir un segundo borrador o cliente.
job-why-open = El próximo intento lo comprueba en Billz de todos modos.
job-why-no-step = No hay tal paso.
job-attempts = Intentos y llamadas a Billz
job-attempts-none = No se registró ningún intento. Uno cuyo proceso murió no deja registro, solo sus pasos.
job-attempt = Intento { $number }
job-outcome-retried = falló, se reintenta
job-outcome-handed-back = devuelto a la cola
job-outcome-put-off = aplazado
job-calls = Llamadas a Billz
job-calls-none = No se llamó a Billz.
job-call = Llamada
job-call-outcome = Resultado
job-call-at = Cuándo
job-call-took = Duró (ms, con la espera del presupuesto)
job-ledger = En el registro
job-ledger-job = Ejecutado por última vez por
job-payload = Contenido
job-redacted = Los datos personales y los secretos se sustituyen por ***.
job-result = Resultado
job-options = Opciones
job-logs = Diario
job-logs-none = El trabajo no escribió nada.
job-logs-hidden = { $count ->
    [one] No se muestra { $count } línea más antigua.
   *[other] No se muestran { $count } líneas más antiguas.
}
job-trace = Intento fallido
