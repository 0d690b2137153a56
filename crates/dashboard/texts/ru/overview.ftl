# Is everything all right.
overview-title = Обзор
overview-jobs = Задания
overview-dependencies = Зависимости
overview-no-dependencies = Этот процесс пока ни от чего не зависит.
overview-as-of = По состоянию на
