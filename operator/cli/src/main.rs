//! `kubectl-domicile`, which kubectl runs as `kubectl domicile`.

fn main() -> std::process::ExitCode {
    kubectl_domicile::run(std::env::args_os())
}
