# Messages that could never be applied.
dead-letters-title = Mensajes muertos
dead-letters-empty = Aquí no hay mensajes muertos.
dead-letters-cut = Solo se miran los 500 más nuevos; los anteriores los muestra `billwright events dlq list`.
dead-letters-any = cualquiera
dead-letters-search = Buscar
dead-letters-code = Tipo de motivo
dead-letters-topic = Topic
dead-letters-reason = Motivo
dead-letters-place = Lugar
dead-letters-since = Desde
dead-letters-bytes = Bytes
dead-letters-state = Estado
dead-letter-new = sin devolver
dead-letter-replayed = devuelto
dead-letters-choose = Elegir
dead-letters-choose-one = Elegir { $place }
dead-letters-replay-chosen = Devolver los elegidos…
dead-letters-replay-all = { $count ->
    [one] Devolver { $count }…
   *[other] Devolver los { $count }…
}
dead-letters-none-chosen = No se eligió ninguno, o todos los buscados ya se devolvieron.
dead-letters-too-many = Se devuelven como mucho { $most } mensajes a la vez. Elija menos.
dead-letters-replay-title = Devolver mensajes muertos
dead-letters-replay-goes = { $count ->
    [one] { $count } mensaje volvería a su topic. Aún no se ha enviado nada.
   *[other] { $count } mensajes volverían a sus topics. Aún no se ha enviado nada.
}
dead-letters-replay-about = Se envían tal como llegaron, con su clave y cabeceras. Lo que aún no pueda aplicarse volverá a ser mensaje muerto; lo ya aplicado no cambia nada.
dead-letters-replay-into = Vuelve a
dead-letters-replay-stays = Se queda:
dead-letters-replay-now = Devolver ahora
dead-letters-replayed = { $count ->
    [one] Se devolvió { $count } mensaje; se quedaron { $stayed }.
   *[other] Se devolvieron { $count } mensajes; se quedaron { $stayed }.
}
dead-letter-title = Mensaje muerto { $place }
dead-letter-facts = Lo que se sabe
dead-letter-source = Procede de
dead-letter-no-source = Las cabeceras no lo dicen.
dead-letter-replay = Devolver…
