# Is everything all right.
overview-title = Umumiy ko‘rinish
overview-jobs = Vazifalar
overview-dependencies = Bog‘liqliklar
overview-no-dependencies = Bu jarayon hozircha hech narsaga bog‘liq emas.
overview-as-of = Holat vaqti:
