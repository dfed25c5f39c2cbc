//! The binary is static and never reaches glibc's name service, which a static glibc does not survive everywhere.

use std::process::Command;

const BINARY: &str = env!("CARGO_BIN_EXE_quantum-clm");

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("{program} cannot be run ({error}): `make test` installs it with binutils"));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn no_program_interpreter_and_no_shared_library() {
    let headers = output("readelf", &["--program-headers", "--dynamic", BINARY]);
    assert!(headers.contains("LOAD"), "readelf did not read the binary: {headers}");
    assert!(!headers.contains("INTERP"), "the binary asks for a dynamic loader: {headers}");
    assert!(!headers.contains("(NEEDED)"), "the binary asks for shared libraries: {headers}");
}

#[test]
fn no_symbol_of_the_name_service() {
    let symbols = output("nm", &[BINARY]);
    assert!(symbols.lines().count() > 1_000, "the tested binary has no symbols to look at");
    // The entry points. Their inner parts are in every static program that forks: glibc's fork resets the service.
    let hosts = ["getaddrinfo", "gethostbyname", "gethostbyname2", "gethostbyaddr", "getservbyname"];
    let users = ["getpwnam", "getpwuid", "getgrnam", "getgrgid", "initgroups"];
    let found: Vec<&str> = symbols
        .lines()
        .filter_map(|line| line.split_whitespace().last())
        .filter(|symbol| {
            let name = symbol.trim_start_matches('_').trim_end_matches("_r");
            hosts.contains(&name) || users.contains(&name)
        })
        .collect();
    assert!(found.is_empty(), "the name service is linked: {found:?}");
}
