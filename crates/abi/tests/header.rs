//! The C header and the Rust structs say the same: a C program prints the size of every struct, the place and size of
//! every member and every constant as the C compiler sees them, and they are compared with Rust's.

#![allow(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

use std::ffi::c_void;
use std::fmt::Write as _;
use std::mem::offset_of;
use std::process::Command;

use lundian_abi::*;

/// A C program that prints facts, and what Rust says that it must print.
#[derive(Default)]
struct Facts {
    program: String,
    expected: String,
}

impl Facts {
    fn number(&mut self, name: &str, in_c: &str, in_rust: u64) {
        writeln!(self.program, "  printf(\"{name} %llu\\n\", (unsigned long long)({in_c}));").unwrap();
        writeln!(self.expected, "{name} {in_rust}").unwrap();
    }

    fn text(&mut self, name: &str, in_rust: &str) {
        writeln!(self.program, "  printf(\"{name} %s\\n\", {name});").unwrap();
        writeln!(self.expected, "{name} {in_rust}").unwrap();
    }
}

fn size_behind<S, T>(_: fn(&S) -> &T) -> u64 {
    size_of::<T>() as u64
}

macro_rules! layout {
    ($facts:ident, $name:ident { $($field:ident),* $(,)? }) => {
        // Without `..`: a member that is missing from the list does not compile.
        let _: fn($name) = |$name { $($field: _),* }| ();
        let name = stringify!($name);
        $facts.number(&format!("sizeof {name}"), &format!("sizeof({name})"), size_of::<$name>() as u64);
        $(
            let field = stringify!($field);
            let at = offset_of!($name, $field) as u64;
            $facts.number(&format!("{name}.{field} at"), &format!("offsetof({name}, {field})"), at);
            let size = size_behind::<$name, _>(|s| &s.$field);
            $facts.number(&format!("{name}.{field} size"), &format!("sizeof((({name} *)0)->{field})"), size);
        )*
    };
}

macro_rules! constants {
    ($facts:ident, $($in_c:ident = $in_rust:ident),* $(,)?) => {
        $($facts.number(stringify!($in_c), stringify!($in_c), $in_rust as u64);)*
    };
}

#[test]
fn header_and_structs_agree() {
    let mut facts = Facts::default();
    layout!(facts, LundianStr { data, len });
    layout!(facts, LundianStrings { len, offsets, data });
    layout!(facts, LundianTaxonomy { struct_size, reserved, slugs, json });
    layout!(facts, LundianBatch { struct_size, flags, text, prev, heading, title });
    layout!(facts, LundianHost { struct_size, reserved, context, evidence, fail_row, error, log, cancelled, role });
    layout!(
        facts,
        LundianEntry { magic, struct_size, abi_major, abi_minor, manifest, create, classify, destroy, extension }
    );
    layout!(facts, LundianThresholds { struct_size, reserved, read });
    constants!(
        facts,
        LUNDIAN_MAGIC = MAGIC,
        LUNDIAN_ABI_MAJOR = ABI_MAJOR,
        LUNDIAN_ABI_MINOR = ABI_MINOR,
        LUNDIAN_OK = STATUS_OK,
        LUNDIAN_FAILED = STATUS_FAILED,
        LUNDIAN_CANCELLED = STATUS_CANCELLED,
        LUNDIAN_CONFIG = STATUS_CONFIG,
        LUNDIAN_MODEL = STATUS_MODEL,
        LUNDIAN_BATCH_EVIDENCE = BATCH_EVIDENCE,
        LUNDIAN_ROLE_EXPLANATION = ROLE_EXPLANATION,
        LUNDIAN_ROLE_EVIDENCE = ROLE_EVIDENCE,
        LUNDIAN_ROLE_REMEDY = ROLE_REMEDY,
        LUNDIAN_ROLE_OTHER = ROLE_OTHER,
        LUNDIAN_ROLES = ROLES,
        LUNDIAN_LOG_ERROR = LOG_ERROR,
        LUNDIAN_LOG_WARN = LOG_WARN,
        LUNDIAN_LOG_INFO = LOG_INFO,
        LUNDIAN_LOG_DEBUG = LOG_DEBUG,
    );
    facts.text("LUNDIAN_EXTENSION_THRESHOLDS", EXTENSION_THRESHOLDS);
    for host in hosts() {
        let (size, has) = (host.struct_size, role_of(&host).is_some());
        let in_c = format!("LUNDIAN_HOST_HAS(&(LundianHost){{.struct_size = {size}}}, role)");
        facts.number(&format!("role in {size} bytes"), &in_c, has.into());
    }

    assert_eq!(printed_by(&facts.program), facts.expected);
    // Every #define of the header was asked for above, so that a new one cannot be forgotten here.
    for line in HEADER.lines().filter(|l| l.starts_with("#define LUNDIAN_")) {
        let name = line.split([' ', '(']).nth(1).unwrap();
        assert!(facts.program.contains(name) || ["LUNDIAN_H", "LUNDIAN_EXPORT"].contains(&name), "{name}");
    }
}

/// Hosts that end at `cancelled`, as in ABI 1.0, within `role`, at its end, and behind it.
fn hosts() -> [LundianHost; 4] {
    unsafe extern "C" fn evidence(_: *mut c_void, _: usize, _: usize, _: usize, _: usize, _: f32) {}
    unsafe extern "C" fn fail_row(_: *mut c_void, _: usize, _: LundianStr) {}
    unsafe extern "C" fn error(_: *mut c_void, _: i32, _: LundianStr) {}
    unsafe extern "C" fn log(_: *mut c_void, _: u32, _: LundianStr) {}
    unsafe extern "C" fn cancelled(_: *mut c_void) -> u32 {
        0
    }
    unsafe extern "C" fn role(_: *mut c_void, _: usize, _: *const f32) {}
    let (start, end) = (offset_of!(LundianHost, role) as u32, size_of::<LundianHost>() as u32);
    [start, end - 1, end, end + 8].map(|struct_size| LundianHost {
        struct_size,
        reserved: 0,
        context: std::ptr::null_mut(),
        evidence,
        fail_row,
        error,
        log,
        cancelled,
        role,
    })
}

fn role_of(host: &LundianHost) -> Option<RoleFn> {
    // SAFETY: whatever its size says, the host is whole.
    unsafe { LundianHost::role_of(host) }
}

#[test]
fn a_host_has_the_callback_that_it_reaches_to_the_end_of() {
    assert_eq!(hosts().map(|host| role_of(&host).is_some()), [false, false, true, true]);
}

/// Compiles `statements` against the header with the system's C compiler, and runs them.
fn printed_by(statements: &str) -> String {
    let dir = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (source, program) = (dir.join("layout.c"), dir.join("layout"));
    let code = format!(
        "#include \"lundian.h\"\n#include <stdio.h>\n\
         /* The symbol that plugins export has the name and type that the host looks for. */\n\
         const LundianEntry *(*entry_function)(void) = {ENTRY_SYMBOL};\n\
         const LundianEntry *lundian_plugin(void) {{ return 0; }}\n\
         int main(void) {{\n{statements}  return 0;\n}}\n"
    );
    std::fs::write(&source, code).unwrap();
    let built = Command::new("cc")
        .args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-pedantic", "-I"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/include"))
        .arg(&source)
        .arg("-o")
        .arg(&program)
        .output()
        .expect("a C compiler named cc");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    String::from_utf8(Command::new(&program).output().unwrap().stdout).unwrap()
}
