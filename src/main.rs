//! The `vend` program: arguments → one command → exit code.

fn main() -> std::process::ExitCode {
    vend::cli::main()
}
