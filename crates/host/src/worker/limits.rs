//! What a worker gives up before it loads a plugin.
//!
//! The decision that matters: the system-call filter refuses a list of calls and allows the rest. Languages' run-time
//! systems make calls that nobody can list, and a plugin that dies of a harmless one helps nobody; the file system,
//! where a list of what is allowed is possible, has one.

use rustix::process::{Resource, Rlimit, setrlimit};

use super::frame::Load;

/// Sets the limits of `order` on the process.
pub(crate) fn set(order: &Load) {
    let both = |n: u64| Rlimit { current: Some(n), maximum: Some(n) };
    // A limit that cannot be set is one that is already lower.
    if let Some(memory) = order.memory {
        let _ = setrlimit(Resource::As, both(memory));
    }
    // A plugin's crash is reported, not written to disk.
    let _ = setrlimit(Resource::Core, both(0));
}

/// Allows `seconds` of processor time from now on; the kernel ends the process when they are used up.
pub(crate) fn allow_cpu(seconds: Option<u64>) {
    let Some(seconds) = seconds else { return };
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime).tv_sec;
    let limit = u64::try_from(used).unwrap_or(0).saturating_add(seconds).saturating_add(1);
    let maximum = rustix::process::getrlimit(Resource::Cpu).maximum;
    let _ = setrlimit(Resource::Cpu, Rlimit { current: Some(limit), maximum });
}

/// Enters the sandbox. Returns what of it this system does not have.
#[cfg(not(target_os = "linux"))]
pub(crate) fn enter_sandbox(_: &Load) -> Vec<String> {
    vec!["it is there on Linux only".to_owned()]
}

/// Enters the sandbox. Returns what of it this system does not have.
#[cfg(target_os = "linux")]
pub(crate) fn enter_sandbox(order: &Load) -> Vec<String> {
    let files = linux::restrict_files(order).err().map(|e| format!("files are not restricted: {e}"));
    let calls = linux::restrict_calls().err().map(|e| format!("system calls are not restricted: {e}"));
    files.into_iter().chain(calls).collect()
}

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::BTreeMap;
    use std::path::Path;

    use landlock::{
        ABI, Access as _, AccessFs, AccessNet, Ruleset, RulesetAttr as _, RulesetCreatedAttr as _, RulesetStatus,
        Scope, path_beneath_rules,
    };
    use seccompiler::{
        SeccompAction, SeccompCmpArgLen as Len, SeccompCmpOp as Op, SeccompCondition, SeccompFilter, SeccompRule,
    };

    use super::Load;

    /// What the loader, the C library and run-time systems of languages read: libraries, the time zone, and how many
    /// processors there are.
    const SYSTEM: [&str; 17] = [
        "/lib",
        "/lib64",
        "/usr/lib",
        "/usr/lib64",
        "/usr/local/lib",
        "/etc/ld.so.cache",
        "/etc/ld.so.conf",
        "/etc/ld.so.conf.d",
        "/etc/localtime",
        "/usr/share/zoneinfo",
        "/dev/random",
        "/dev/urandom",
        "/dev/zero",
        "/proc/self",
        "/proc/cpuinfo",
        "/proc/meminfo",
        "/sys/devices/system/cpu",
    ];

    /// Landlock: reading only, and only what a classifier needs; no TCP, no signals to other processes.
    pub(super) fn restrict_files(order: &Load) -> Result<(), String> {
        const KNOWN: ABI = ABI::V6;
        let readable = order.readable.iter().map(|p| p.as_path()).chain([order.dir.as_path()]);
        let readable: Vec<&Path> = SYSTEM.iter().map(Path::new).chain(readable).collect();
        let read = AccessFs::ReadFile | AccessFs::ReadDir;
        let restrict = || -> Result<_, landlock::RulesetError> {
            Ruleset::default()
                .handle_access(AccessFs::from_all(KNOWN))?
                .handle_access(AccessNet::from_all(KNOWN))?
                .scope(Scope::from_all(KNOWN))?
                .create()?
                .add_rules(path_beneath_rules(readable, read))?
                .add_rules(path_beneath_rules(["/dev/null"], AccessFs::ReadFile | AccessFs::WriteFile))?
                .restrict_self()
        };
        match restrict().map_err(|e| e.to_string())?.ruleset {
            RulesetStatus::NotEnforced => Err("the kernel has no Landlock".to_owned()),
            _ => Ok(()),
        }
    }

    /// Seccomp: no sockets, no programs, no processes, no reaching into others. Also sets `no_new_privs`.
    pub(super) fn restrict_calls() -> Result<(), String> {
        // The C library tries `clone3`, whose arguments no filter can see, and falls back on `clone` if there is none.
        let unknown = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
        install(unknown, libc::ENOSYS).and_then(|()| install(refused()?, libc::EPERM))
    }

    fn install(rules: BTreeMap<i64, Vec<SeccompRule>>, error: i32) -> Result<(), String> {
        let arch = std::env::consts::ARCH.try_into().map_err(|e: seccompiler::BackendError| e.to_string())?;
        let filter = SeccompFilter::new(rules, SeccompAction::Allow, SeccompAction::Errno(error as u32), arch)
            .map_err(|e| e.to_string())?;
        let program: seccompiler::BpfProgram =
            filter.try_into().map_err(|e: seccompiler::BackendError| e.to_string())?;
        seccompiler::apply_filter_all_threads(&program).map_err(|e| e.to_string())
    }

    /// The calls that are refused: all, or those whose arguments match one of the rules.
    fn refused() -> Result<BTreeMap<i64, Vec<SeccompRule>>, String> {
        let always = [
            // The network. The channel is there already, and a pair of sockets leads nowhere.
            libc::SYS_socket,
            // Other programs.
            libc::SYS_execve,
            libc::SYS_execveat,
            // Other processes.
            libc::SYS_ptrace,
            libc::SYS_process_vm_readv,
            libc::SYS_process_vm_writev,
            libc::SYS_pidfd_open,
            libc::SYS_pidfd_getfd,
            libc::SYS_pidfd_send_signal,
            libc::SYS_rt_sigqueueinfo,
            libc::SYS_rt_tgsigqueueinfo,
            libc::SYS_tkill,
            // Ways around this filter.
            libc::SYS_io_uring_setup,
            libc::SYS_bpf,
            libc::SYS_perf_event_open,
            libc::SYS_userfaultfd,
            // What only administrators need.
            libc::SYS_unshare,
            libc::SYS_setns,
            libc::SYS_mount,
            libc::SYS_umount2,
            libc::SYS_pivot_root,
            libc::SYS_chroot,
            libc::SYS_open_by_handle_at,
            libc::SYS_init_module,
            libc::SYS_finit_module,
            libc::SYS_delete_module,
            libc::SYS_kexec_load,
            libc::SYS_reboot,
            libc::SYS_swapon,
            libc::SYS_swapoff,
            libc::SYS_add_key,
            libc::SYS_request_key,
            libc::SYS_keyctl,
        ];
        let mut rules: BTreeMap<i64, Vec<SeccompRule>> = always.map(|call| (call, Vec::new())).into();
        #[cfg(target_arch = "x86_64")]
        rules.extend([(libc::SYS_fork, Vec::new()), (libc::SYS_vfork, Vec::new())]);
        let when = |argument, op, value: u64| -> Result<Vec<SeccompRule>, String> {
            let condition = SeccompCondition::new(argument, Len::Dword, op, value).map_err(|e| e.to_string())?;
            Ok(vec![SeccompRule::new(vec![condition]).map_err(|e| e.to_string())?])
        };
        let this = u64::from(std::process::id());
        // Threads are made with `clone`, and so are processes.
        rules.insert(libc::SYS_clone, when(0, Op::MaskedEq(libc::CLONE_THREAD as u64), 0)?);
        // A process may abort itself, and look at its own limits.
        for call in [libc::SYS_kill, libc::SYS_tgkill] {
            rules.insert(call, when(0, Op::Ne, this)?);
        }
        rules.insert(libc::SYS_prlimit64, when(0, Op::Gt, 0)?);
        Ok(rules)
    }
}
