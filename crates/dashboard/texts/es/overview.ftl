# Is everything all right.
overview-title = Resumen
overview-jobs = Trabajos
overview-dependencies = Dependencias
overview-no-dependencies = Este proceso no depende de nada todavía.
overview-as-of = Estado a las
