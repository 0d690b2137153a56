# Events that wait for their customers.
set-aside-title = Eventos apartados
set-aside-about = Eventos de clientes que aún no se conocen. Se aplican solos cuando el cliente aparece y pasan a los mensajes muertos al vencer su plazo.
set-aside-user = Id del cliente
set-aside-search = Buscar
set-aside-empty = Ningún evento espera.
set-aside-kind = Evento
set-aside-from = De
set-aside-sent = Enviado
set-aside-since = Espera desde
set-aside-until = Caduca
set-aside-event-title = { $kind }, apartado
set-aside-facts = Lo que se sabe
set-aside-is-there = – ya existe
set-aside-is-not-there = – aún no se conoce
set-aside-apply = Aplicar ahora
set-aside-discard = Descartar
set-aside-discard-question = ¿Descartar este evento para siempre? Nunca tendrá efecto.
set-aside-discarded = { $kind } descartado.
set-aside-gone = Este evento ya no espera: se aplicó, se descartó o caducó.
set-aside-no-customer = Sigue sin haber un cliente { $id }; el evento sigue esperando.
set-aside-applied = { $count ->
    [one] Se aplicó { $count } evento.
   *[other] Se aplicaron { $count } eventos.
}
sent-title = Tal como se envió
sent-masked = Los datos personales están ocultos: de letras y cifras solo queda la forma.
sent-key = Clave
sent-headers = Cabeceras
sent-value = Valor
sent-hex = no es texto; bytes en hexadecimal
sent-nothing = Vacío.
