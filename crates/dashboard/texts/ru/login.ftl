# Signing in.
login-title = Вход
login-name = Имя
login-password = Пароль
login-button = Войти
login-wrong = Имя или пароль неверны.
login-too-often = Слишком много попыток. Попробуйте снова через { $seconds ->
    [one] { $seconds } секунду
    [few] { $seconds } секунды
   *[other] { $seconds } секунд
}.
login-signed-out = Вы вышли.
