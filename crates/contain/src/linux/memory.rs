//! How much memory the processes of a command hold.

use rustix::process::Pid;
use std::fs;

/// Processes that are looked at, at most.
const MOST: usize = 20_000;

/// Bytes that a process and all that come from it hold (resident, shared pages counted each time). What cannot be read
/// counts nothing.
pub(super) fn held_below(first: Pid) -> u64 {
    let page = u64::try_from(rustix::param::page_size()).unwrap_or(4096);
    let mut left = vec![first.as_raw_nonzero().get()];
    let (mut pages, mut seen) = (0_u64, 0);
    while let Some(pid) = left.pop() {
        seen += 1;
        if seen > MOST {
            break;
        }
        if let Ok(text) = fs::read_to_string(format!("/proc/{pid}/statm")) {
            pages += text.split(' ').nth(1).and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
        }
        left.extend(children(pid));
    }
    pages.saturating_mul(page)
}

/// The children of every thread of a process.
pub(super) fn children(pid: i32) -> Vec<i32> {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    threads
        .flatten()
        .filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok())
        .flat_map(|text| text.split_whitespace().filter_map(|n| n.parse().ok()).collect::<Vec<i32>>())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_holds_something_and_knows_its_children() {
        let own = Pid::from_raw(i32::try_from(std::process::id()).unwrap()).unwrap();
        assert!(held_below(own) > 1 << 20);
        let mut child = std::process::Command::new("sleep").arg("5").spawn().unwrap();
        let found = children(own.as_raw_nonzero().get());
        let _ = child.kill();
        let _ = child.wait();
        assert!(found.contains(&i32::try_from(child.id()).unwrap()), "{found:?}");
    }
}
