//! The system calls for which no safe wrapper exists. All of this crate's `unsafe` is here; each function is as narrow as
//! its one use and safe to call.

use libc::{c_int, c_long, c_ulong};
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use rustix::process::Pid;
use std::ffi::CStr;
use std::io;
use std::mem::size_of;

/// What a process is after it was split in two.
#[derive(Debug)]
pub(super) enum Split {
    /// The new process.
    Child,
    /// The old one, with the new one's number.
    Parent(Pid),
}

fn check(answer: c_long) -> io::Result<c_long> {
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(answer) }
}

fn split(answer: c_long) -> io::Result<Split> {
    match i32::try_from(check(answer)?).ok().and_then(Pid::from_raw) {
        Some(pid) => Ok(Split::Parent(pid)),
        None => Ok(Split::Child),
    }
}

/// Makes a process in new namespaces (`CLONE_NEW…`). The caller must have no other thread: the child would inherit their
/// locks.
pub(super) fn clone_into(namespaces: c_int) -> io::Result<Split> {
    let flags = c_long::from(namespaces | libc::SIGCHLD);
    #[expect(unsafe_code, reason = "`clone` with new namespaces has no safe wrapper")]
    // SAFETY: without CLONE_VM and with a null stack this is `fork`: the child has its own copy of everything.
    let answer = unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) };
    split(answer)
}

/// Makes a copy of this process. The caller must have no other thread.
pub(super) fn fork() -> io::Result<Split> {
    #[expect(unsafe_code, reason = "`fork` has no safe wrapper")]
    // SAFETY: the caller has one thread, so no lock is held by a thread that the child lacks.
    let answer = unsafe { libc::fork() };
    split(c_long::from(answer))
}

/// Closes descriptors, in this order, without waiting for it: of watchers and of namespaces the kernel takes many
/// milliseconds to let go, for which a process waits that lives for nothing else.
pub(super) fn close_elsewhere(descriptors: Vec<OwnedFd>) {
    if descriptors.is_empty() {
        return;
    }
    // The child calls nothing that another thread could hold a lock of. Where it cannot be made, this process waits.
    if let Ok(Split::Child) = fork() {
        // Standard output first of all: somebody may wait for its end.
        for fd in 0..3 {
            #[expect(unsafe_code, reason = "`close` of descriptors that nobody owns has no safe wrapper")]
            // SAFETY: this process ends at once and uses none of them.
            unsafe {
                libc::close(fd)
            };
        }
        // The parent's copies are closed first, so that these are the last and wait.
        std::thread::sleep(std::time::Duration::from_millis(2));
        for descriptor in descriptors {
            drop(descriptor);
        }
        exit_now(0)
    }
}

/// Ends this process at once, without running anything that the parent's copy also would.
pub(super) fn exit_now(status: c_int) -> ! {
    #[expect(unsafe_code, reason = "`_exit` has no safe wrapper")]
    // SAFETY: has no preconditions.
    unsafe {
        libc::_exit(status)
    }
}

/// Marks every descriptor from `first` on to be closed when a program is run.
pub(super) fn close_from_on_exec(first: c_int) -> io::Result<()> {
    const CLOSE_RANGE_CLOEXEC: c_int = 1 << 2;
    #[expect(unsafe_code, reason = "`close_range` has no safe wrapper")]
    // SAFETY: only sets a flag on descriptors; none is closed while something owns it.
    let answer = unsafe { libc::syscall(libc::SYS_close_range, first, c_int::MAX, CLOSE_RANGE_CLOEXEC) };
    check(answer).map(drop)
}

/// Adds attributes (`MOUNT_ATTR_…`) to a mount and those beneath it.
pub(super) fn set_mount_attributes(mount: BorrowedFd<'_>, attributes: u64) -> io::Result<()> {
    #[repr(C)]
    struct MountAttr {
        set: u64,
        clear: u64,
        propagation: u64,
        userns: u64,
    }
    let wanted = MountAttr { set: attributes, clear: 0, propagation: 0, userns: 0 };
    #[expect(unsafe_code, reason = "`mount_setattr` has no safe wrapper")]
    // SAFETY: the path is empty and ends in NUL, the structure lives through the call and its size is given.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH | libc::AT_RECURSIVE,
            &raw const wanted,
            size_of::<MountAttr>(),
        )
    };
    check(answer).map(drop)
}

/// Whether the kernel knows this system call, asked with arguments that it must refuse.
pub(super) fn knows(call: c_long) -> bool {
    #[expect(unsafe_code, reason = "asks a system call by number")]
    // SAFETY: every argument is invalid (-1), so a call that exists fails without reading memory.
    let answer = unsafe { libc::syscall(call, -1, 0, -1, 0, 0) };
    answer >= 0 || io::Error::last_os_error().raw_os_error() != Some(libc::ENOSYS)
}

/// The version of Landlock; 0 when there is none.
pub(super) fn landlock_version() -> u32 {
    const LANDLOCK_CREATE_RULESET_VERSION: c_int = 1;
    #[expect(unsafe_code, reason = "asks Landlock's version, for which the crate has no call")]
    // SAFETY: with this flag the kernel reads no structure; null and zero are what it demands.
    let answer =
        unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, 0, 0, LANDLOCK_CREATE_RULESET_VERSION) };
    u32::try_from(answer).unwrap_or(0)
}

/// Installs a filter of system calls on this thread. With `listener` the answer is the descriptor at which a supervisor
/// is asked.
pub(super) fn install_filter(program: &[libc::sock_filter], listener: bool) -> io::Result<Option<OwnedFd>> {
    const SECCOMP_SET_MODE_FILTER: c_int = 1;
    const NEW_LISTENER: c_ulong = 1 << 3;
    let too_long = |_| io::Error::from(io::ErrorKind::InvalidInput);
    let wanted = libc::sock_fprog {
        len: u16::try_from(program.len()).map_err(too_long)?,
        filter: program.as_ptr().cast_mut(),
    };
    let flags = if listener { NEW_LISTENER } else { 0 };
    #[expect(unsafe_code, reason = "`seccomp` has no safe wrapper that hands out the listener")]
    // SAFETY: the program's length is given with its address, and the kernel only reads it.
    let answer =
        unsafe { libc::syscall(libc::SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &raw const wanted) };
    let answer = check(answer)?;
    if !listener {
        return Ok(None);
    }
    let raw = RawFd::try_from(answer).map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
    #[expect(unsafe_code, reason = "takes ownership of the descriptor that the kernel has just made")]
    // SAFETY: the descriptor is new, open and known to nobody else.
    let listener = unsafe { OwnedFd::from_raw_fd(raw) };
    Ok(Some(listener))
}

/// Whether the kernel can ask a supervisor (`SECCOMP_RET_USER_NOTIF`).
pub(super) fn can_notify() -> bool {
    const SECCOMP_GET_ACTION_AVAIL: c_int = 2;
    let action: u32 = libc::SECCOMP_RET_USER_NOTIF;
    #[expect(unsafe_code, reason = "`seccomp` has no safe wrapper")]
    // SAFETY: the kernel reads one u32 that lives through the call.
    let answer = unsafe { libc::syscall(libc::SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &raw const action) };
    answer == 0
}

/// A question of the kernel's to the supervisor: a process has made a system call and waits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Question {
    /// Names the question in the answer.
    pub(super) id: u64,
    /// The thread that waits, as this process counts; 0 when it cannot be seen from here.
    pub(super) thread: u32,
    /// The system call.
    pub(super) call: c_long,
    /// Its arguments.
    pub(super) arguments: [u64; 6],
}

/// What the supervisor says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// The kernel carries the call out as it stands then.
    Continue,
    /// The call was carried out by the supervisor, with this result.
    Done(i64),
    /// The call fails with this number.
    Fail(c_int),
}

/// The next question; `None` when the process has gone meanwhile.
pub(super) fn receive(listener: BorrowedFd<'_>) -> io::Result<Option<Question>> {
    const NOTIF_RECV: c_ulong = 0xc050_2100;
    let mut raw = libc::seccomp_notif {
        id: 0,
        pid: 0,
        flags: 0,
        data: libc::seccomp_data { nr: 0, arch: 0, instruction_pointer: 0, args: [0; 6] },
    };
    #[expect(unsafe_code, reason = "the ioctl has no safe wrapper")]
    // SAFETY: the structure is zeroed as demanded, has the size in the request's number and lives through the call.
    let answer = unsafe { libc::ioctl(listener.as_raw_fd(), NOTIF_RECV as _, &raw mut raw) };
    match check(c_long::from(answer)) {
        Ok(_) => Ok(Some(Question {
            id: raw.id,
            thread: raw.pid,
            call: c_long::from(raw.data.nr),
            arguments: raw.data.args,
        })),
        Err(e) if matches!(e.raw_os_error(), Some(libc::ENOENT | libc::EINTR)) => Ok(None),
        Err(e) => Err(e),
    }
}

/// Answers a question. A process that has gone meanwhile is no error.
pub(super) fn answer(listener: BorrowedFd<'_>, id: u64, answer: Answer) -> io::Result<()> {
    const NOTIF_SEND: c_ulong = 0xc018_2101;
    const FLAG_CONTINUE: u32 = 1;
    let raw = match answer {
        Answer::Continue => libc::seccomp_notif_resp { id, val: 0, error: 0, flags: FLAG_CONTINUE },
        Answer::Done(val) => libc::seccomp_notif_resp { id, val, error: 0, flags: 0 },
        Answer::Fail(number) => libc::seccomp_notif_resp { id, val: 0, error: -number, flags: 0 },
    };
    #[expect(unsafe_code, reason = "the ioctl has no safe wrapper")]
    // SAFETY: the structure has the size in the request's number and lives through the call.
    let sent = unsafe { libc::ioctl(listener.as_raw_fd(), NOTIF_SEND as _, &raw const raw) };
    match check(c_long::from(sent)) {
        Ok(_) => Ok(()),
        Err(e) if e.raw_os_error() == Some(libc::ENOENT) => Ok(()),
        Err(e) => Err(e),
    }
}

/// Whether the process still waits for the answer to this question: only then what was read of it is its own.
pub(super) fn still_waits(listener: BorrowedFd<'_>, id: u64) -> bool {
    const NOTIF_ID_VALID: c_ulong = 0x4008_2102;
    #[expect(unsafe_code, reason = "the ioctl has no safe wrapper")]
    // SAFETY: the kernel reads one u64 that lives through the call.
    let answer = unsafe { libc::ioctl(listener.as_raw_fd(), NOTIF_ID_VALID as _, &raw const id) };
    answer == 0
}

/// Switches a network interface on.
pub(super) fn interface_up(socket: BorrowedFd<'_>, name: &CStr) -> io::Result<()> {
    #[expect(unsafe_code, reason = "an all-zero request is the documented start")]
    // SAFETY: `ifreq` is plain data for which zero is valid.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(name.to_bytes()) {
        *to = libc::c_char::try_from(*from).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    }
    let flags = libc::c_short::try_from(libc::IFF_UP | libc::IFF_RUNNING)
        .map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    request.ifr_ifru.ifru_flags = flags;
    #[expect(unsafe_code, reason = "the ioctl has no safe wrapper")]
    // SAFETY: the request lives through the call and its name ends in NUL, because it was zeroed and names are shorter.
    let answer = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS as _, &raw const request) };
    check(c_long::from(answer)).map(drop)
}

/// A signal that came in: its number, and whether the kernel itself sent it (a key on the terminal, a child's end), so
/// that the whole group has had it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Came {
    pub(super) signal: c_int,
    pub(super) by_kernel: bool,
}

/// Holds these signals back from this thread and makes a descriptor that tells of them.
pub(super) fn hold_signals(signals: &[c_int]) -> io::Result<OwnedFd> {
    let set = signal_set(signals);
    #[expect(unsafe_code, reason = "`sigprocmask` has no safe wrapper")]
    // SAFETY: the set is initialised; null for the old set is permitted.
    let answer = unsafe { libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) };
    check(c_long::from(answer))?;
    #[expect(unsafe_code, reason = "`signalfd` has no safe wrapper")]
    // SAFETY: the set is initialised; -1 asks for a new descriptor.
    let raw = unsafe { libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) };
    check(c_long::from(raw))?;
    #[expect(unsafe_code, reason = "takes ownership of the descriptor that the kernel has just made")]
    // SAFETY: the descriptor is new, open and known to nobody else.
    let fd = unsafe { OwnedFd::from_raw_fd(raw) };
    Ok(fd)
}

/// Lets every signal through again.
pub(super) fn release_signals() {
    let set = signal_set(&[]);
    #[expect(unsafe_code, reason = "`sigprocmask` has no safe wrapper")]
    // SAFETY: the set is initialised; with valid arguments the call cannot fail.
    unsafe {
        libc::sigprocmask(libc::SIG_SETMASK, &raw const set, std::ptr::null_mut())
    };
}

fn signal_set(signals: &[c_int]) -> libc::sigset_t {
    let mut set = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
    #[expect(unsafe_code, reason = "signal sets have no safe wrapper")]
    // SAFETY: initialises the set.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr())
    };
    for signal in signals {
        #[expect(unsafe_code, reason = "signal sets have no safe wrapper")]
        // SAFETY: the set is initialised; a bad number changes nothing.
        unsafe {
            libc::sigaddset(set.as_mut_ptr(), *signal)
        };
    }
    #[expect(unsafe_code, reason = "signal sets have no safe wrapper")]
    // SAFETY: `sigemptyset` above has initialised it.
    let set = unsafe { set.assume_init() };
    set
}

/// The next signal that came in, if any.
pub(super) fn next_signal(signals: impl AsFd) -> Option<Came> {
    let mut raw = [0_u8; size_of::<libc::signalfd_siginfo>()];
    let read = rustix::io::read(signals, &mut raw).ok()?;
    if read < raw.len() {
        return None;
    }
    // `struct signalfd_siginfo` begins with `ssi_signo: u32`, `ssi_errno: i32`, `ssi_code: i32`.
    let word = |at: usize| raw.get(at..at + 4).and_then(|b| b.try_into().ok()).map(i32::from_ne_bytes);
    Some(Came { signal: word(0)?, by_kernel: word(8)? > 0 })
}

/// Sends a signal, by number.
pub(super) fn signal(pid: Pid, signal: c_int) -> io::Result<()> {
    #[expect(unsafe_code, reason = "`kill` by a raw number has no safe wrapper")]
    // SAFETY: has no preconditions.
    let answer = unsafe { libc::kill(pid.as_raw_nonzero().get(), signal) };
    check(c_long::from(answer)).map(drop)
}

/// Reads memory of another process; how much was read. Fewer bytes than asked are no error.
pub(super) fn read_memory(thread: u32, address: u64, into: &mut [u8]) -> io::Result<usize> {
    let bad = |_| io::Error::from(io::ErrorKind::InvalidInput);
    let here = libc::iovec { iov_base: into.as_mut_ptr().cast(), iov_len: into.len() };
    let there = libc::iovec {
        iov_base: std::ptr::without_provenance_mut(usize::try_from(address).map_err(bad)?),
        iov_len: into.len(),
    };
    let pid = libc::pid_t::try_from(thread).map_err(bad)?;
    #[expect(unsafe_code, reason = "`process_vm_readv` has no safe wrapper")]
    // SAFETY: the local vector is a live buffer of the length given; the remote one is checked by the kernel.
    let answer = unsafe { libc::process_vm_readv(pid, &raw const here, 1, &raw const there, 1, 0) };
    usize::try_from(answer).map_err(|_| io::Error::last_os_error())
}
