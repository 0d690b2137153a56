# Signing in.
login-title = Iniciar sesión
login-name = Nombre
login-password = Contraseña
login-button = Iniciar sesión
login-wrong = El nombre o la contraseña no son correctos.
login-too-often = Demasiados intentos. Inténtelo de nuevo en { $seconds ->
    [one] { $seconds } segundo
   *[other] { $seconds } segundos
}.
login-signed-out = Ha cerrado la sesión.
