//! Filters of system calls: what a contained command never needs and what its supervisor is asked about.

use crate::error::{ContainError, Result};
use crate::profile::Tier;
use libc::{c_long, sock_filter};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch,
};
use std::collections::BTreeMap;

/// Calls that fail with `EPERM` whatever their arguments.
const DENIED: &[c_long] = &[
    // Other processes' memory, descriptors and secrets.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_kcmp,
    libc::SYS_pidfd_getfd,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    // Mounts, roots, namespaces.
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_open_tree,
    libc::SYS_move_mount,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_setns,
    libc::SYS_unshare,
    // The machine.
    libc::SYS_acct,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_kexec_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_quotactl,
    libc::SYS_syslog,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_adjtimex,
    libc::SYS_clock_adjtime,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_vhangup,
    libc::SYS_nfsservctl,
    libc::SYS_fanotify_init,
    libc::SYS_open_by_handle_at,
    libc::SYS_name_to_handle_at,
    libc::SYS_lookup_dcookie,
    libc::SYS_userfaultfd,
    libc::SYS_migrate_pages,
    libc::SYS_move_pages,
];

#[cfg(target_arch = "x86_64")]
const DENIED_HERE: &[c_long] = &[
    libc::SYS_iopl,
    libc::SYS_ioperm,
    libc::SYS_uselib,
    libc::SYS_ustat,
    libc::SYS_sysfs,
    libc::SYS__sysctl,
    libc::SYS_kexec_file_load,
    libc::SYS_modify_ldt,
    // `create_module`, `get_kernel_syms`, `query_module`: of old kernels, by `asm/unistd_64.h`.
    174,
    177,
    178,
];
#[cfg(not(target_arch = "x86_64"))]
const DENIED_HERE: &[c_long] = &[];

/// Calls that fail as if the kernel did not have them, so that libraries take the older way, which can be looked at:
/// `io_uring` would make calls past every filter, `clone3` and `openat2` keep their flags where no filter reads.
const ABSENT: &[c_long] = &[
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_clone3,
    libc::SYS_openat2,
];

/// Namespaces, by `linux/sched.h`.
const NAMESPACES: u64 = 0x7e02_0000;
/// Set-user and set-group bits of a mode.
const SETUID_BITS: [u64; 2] = [0o4000, 0o2000];

/// The filter that denies, for one tier.
pub(super) fn deny(tier: Tier) -> Result<Vec<sock_filter>> {
    let arch = TargetArch::try_from(std::env::consts::ARCH).map_err(broken)?;
    let mut denied: BTreeMap<c_long, Vec<SeccompRule>> = BTreeMap::new();
    for call in DENIED.iter().chain(DENIED_HERE) {
        denied.insert(*call, Vec::new());
    }
    let mut rules = Rules(denied);
    // Namespaces inside would give capabilities over a part of the kernel that is rarely tested.
    for bit in (0..32).map(|b| 1_u64 << b).filter(|b| NAMESPACES & b != 0) {
        rules.when(libc::SYS_clone, [masked(0, bit, bit)?])?;
    }
    // Keys typed into the person's terminal. The kernel takes the request's low half only.
    for request in [libc::TIOCSTI, libc::TIOCLINUX] {
        rules.when(libc::SYS_ioctl, [masked(1, 0xffff_ffff, request)?])?;
    }
    sockets(&mut rules, tier)?;
    for bit in SETUID_BITS {
        for (call, at) in
            [(libc::SYS_fchmod, 1), (libc::SYS_fchmodat, 2), (FCHMODAT2, 2), (libc::SYS_mknodat, 2)]
        {
            rules.when(call, [masked(at, bit, bit)?])?;
        }
        rules.when(libc::SYS_openat, [masked(3, bit, bit)?, masked(2, CREATE, CREATE)?])?;
        #[cfg(target_arch = "x86_64")]
        {
            for (call, at) in [(libc::SYS_chmod, 1), (libc::SYS_creat, 1), (libc::SYS_mknod, 1)] {
                rules.when(call, [masked(at, bit, bit)?])?;
            }
            rules.when(libc::SYS_open, [masked(2, bit, bit)?, masked(1, CREATE, CREATE)?])?;
        }
    }
    let deny: BpfProgram = compile(rules.0, libc::EPERM, arch)?;
    Ok(deny.into_iter().map(|f| sock_filter { code: f.code, jt: f.jt, jf: f.jf, k: f.k }).collect())
}

/// `O_CREAT`; without it the mode of an open call is not read and may be anything.
const CREATE: u64 = libc::O_CREAT as u64;
/// `fchmodat2`, by `asm-generic/unistd.h`; the same number on every architecture.
const FCHMODAT2: c_long = 452;

/// The filter for what is to look absent.
pub(super) fn absent() -> Result<Vec<sock_filter>> {
    let arch = TargetArch::try_from(std::env::consts::ARCH).map_err(broken)?;
    let rules = ABSENT.iter().map(|call| (*call, Vec::new())).collect();
    let program: BpfProgram = compile(rules, libc::ENOSYS, arch)?;
    Ok(program.into_iter().map(|f| sock_filter { code: f.code, jt: f.jt, jf: f.jf, k: f.k }).collect())
}

fn compile(rules: BTreeMap<c_long, Vec<SeccompRule>>, errno: i32, arch: TargetArch) -> Result<BpfProgram> {
    let errno = u32::try_from(errno).unwrap_or_default();
    SeccompFilter::new(rules, SeccompAction::Allow, SeccompAction::Errno(errno), arch)
        .and_then(BpfProgram::try_from)
        .map_err(broken)
}

/// Packets as they come, by `linux/net.h`; deprecated and still there.
const SOCK_PACKET: i32 = 10;

/// Families: local sockets, the internet's, and netlink's `ROUTE` for lists of interfaces; of the internet's no raw ones,
/// and in tier B, which shares the machine's network, streams only.
fn sockets(rules: &mut Rules, tier: Tier) -> Result<()> {
    let family = |f: i32| u64::try_from(f).unwrap_or_default();
    let (unix, inet, inet6, netlink) =
        (family(libc::AF_UNIX), family(libc::AF_INET), family(libc::AF_INET6), family(libc::AF_NETLINK));
    let others = |at| -> Result<[SeccompCondition; 4]> {
        Ok([other(at, unix)?, other(at, inet)?, other(at, inet6)?, other(at, netlink)?])
    };
    rules.when(libc::SYS_socket, others(0)?)?;
    rules.when(libc::SYS_socketpair, others(0)?)?;
    rules.when(libc::SYS_socket, [same(0, netlink)?, other(2, 0)?])?;
    let low = 0xf; // SOCK_TYPE_MASK
    let kinds: &[i32] = match tier {
        Tier::A => &[libc::SOCK_RAW, libc::SOCK_RDM, libc::SOCK_SEQPACKET, libc::SOCK_DCCP, SOCK_PACKET],
        Tier::B => &[
            libc::SOCK_DGRAM,
            libc::SOCK_RAW,
            libc::SOCK_RDM,
            libc::SOCK_SEQPACKET,
            libc::SOCK_DCCP,
            SOCK_PACKET,
        ],
    };
    for internet in [inet, inet6] {
        for kind in kinds {
            rules.when(libc::SYS_socket, [same(0, internet)?, masked(1, low, family(*kind))?])?;
        }
        // Streams by TCP only: no SCTP or MPTCP, which go past what looks at TCP.
        let stream = family(libc::SOCK_STREAM);
        rules.when(
            libc::SYS_socket,
            [same(0, internet)?, masked(1, low, stream)?, other(2, 0)?, other(2, family(libc::IPPROTO_TCP))?],
        )?;
    }
    if tier == Tier::B {
        // Local datagrams can name any socket at each sending; with a connection made in the sending it is the same.
        rules.when(libc::SYS_socket, [same(0, unix)?, masked(1, low, family(libc::SOCK_DGRAM))?])?;
        rules.when(libc::SYS_socket, [same(0, netlink)?])?;
        let fast = family(libc::MSG_FASTOPEN);
        for (call, at) in [(libc::SYS_sendto, 3), (libc::SYS_sendmsg, 2), (libc::SYS_sendmmsg, 3)] {
            rules.when(call, [masked(at, fast, fast)?])?;
        }
    }
    Ok(())
}

/// Rules by call; one that is denied whatever its arguments stays so.
struct Rules(BTreeMap<c_long, Vec<SeccompRule>>);

impl Rules {
    fn when<const N: usize>(&mut self, call: c_long, all: [SeccompCondition; N]) -> Result<()> {
        let rule = SeccompRule::new(all.to_vec()).map_err(broken)?;
        self.0.entry(call).or_default().push(rule);
        Ok(())
    }
}

fn condition(at: u8, op: SeccompCmpOp, value: u64) -> Result<SeccompCondition> {
    SeccompCondition::new(at, SeccompCmpArgLen::Dword, op, value).map_err(broken)
}

fn masked(at: u8, mask: u64, value: u64) -> Result<SeccompCondition> {
    condition(at, SeccompCmpOp::MaskedEq(mask), value)
}

fn same(at: u8, value: u64) -> Result<SeccompCondition> {
    condition(at, SeccompCmpOp::Eq, value)
}

fn other(at: u8, value: u64) -> Result<SeccompCondition> {
    condition(at, SeccompCmpOp::Ne, value)
}

fn broken<E: std::error::Error + Send + Sync + 'static>(e: E) -> ContainError {
    ContainError::setup("making the filter of system calls", std::io::Error::other(e))
}

/// The filter that asks the supervisor, about running programs and connecting, in tier B also about binding. It also
/// ends processes that call by another convention (32-bit, x32), which the filter above would misread.
pub(super) fn ask(tier: Tier) -> Vec<sock_filter> {
    #[cfg(target_arch = "x86_64")]
    const AUDIT_ARCH: u32 = 0xc000_003e;
    #[cfg(target_arch = "aarch64")]
    const AUDIT_ARCH: u32 = 0xc000_00b7;
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    const AUDIT_ARCH: u32 = 0;
    const X32_BIT: u32 = 0x4000_0000;
    // `struct seccomp_data`: the call's number at 0, the convention at 4.
    let load =
        |at: u32| sock_filter { code: op(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS), jt: 0, jf: 0, k: at };
    let give = |action: u32| sock_filter { code: op(libc::BPF_RET | libc::BPF_K), jt: 0, jf: 0, k: action };
    let unless = |test: u32, k: u32, jt: u8, jf: u8| sock_filter {
        code: op(libc::BPF_JMP | test | libc::BPF_K),
        jt,
        jf,
        k,
    };
    let mut asked = vec![libc::SYS_execve, libc::SYS_execveat, libc::SYS_connect];
    if tier == Tier::B {
        asked.push(libc::SYS_bind);
    }
    let mut program = vec![
        load(4),
        unless(libc::BPF_JEQ, AUDIT_ARCH, 1, 0),
        give(libc::SECCOMP_RET_KILL_PROCESS),
        load(0),
        unless(libc::BPF_JGE, X32_BIT, 0, 1),
        give(libc::SECCOMP_RET_KILL_PROCESS),
    ];
    for call in asked {
        program.push(unless(libc::BPF_JEQ, u32::try_from(call).unwrap_or(u32::MAX), 0, 1));
        program.push(give(libc::SECCOMP_RET_USER_NOTIF));
    }
    program.push(give(libc::SECCOMP_RET_ALLOW));
    program
}

fn op(code: u32) -> u16 {
    u16::try_from(code).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_jump_of_the_asking_filter_lands_inside() {
        for tier in [Tier::A, Tier::B] {
            let program = ask(tier);
            for (at, f) in program.iter().enumerate() {
                assert!(at + 1 + usize::from(f.jt.max(f.jf)) < program.len() || f.jt + f.jf == 0, "{at}");
            }
            assert_eq!(program.last().unwrap().k, libc::SECCOMP_RET_ALLOW);
        }
    }

    #[test]
    fn the_denying_filters_fit_the_kernel() {
        for tier in [Tier::A, Tier::B] {
            assert!(deny(tier).unwrap().len() < 4096);
        }
        assert!(!absent().unwrap().is_empty());
    }
}
