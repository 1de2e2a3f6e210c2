//! What others see of a process in the list of processes, where it was forked and not executed: its last argument,
//! rewritten in place. Who starts the program leaves room there, by blanks.

use crate::process::stat::Stat;

/// Where the arguments begin and end, by the numbers of proc(5).
const ARGUMENTS: [usize; 2] = [48, 49];

/// Writes `title` over the last argument of this process, as much of it as there is room for. Returns whether all of
/// it was.
///
/// The argument must begin with `start`; otherwise nothing is done.
///
/// # Safety
/// No other thread may read the arguments meanwhile.
pub unsafe fn write(start: &str, title: &str) -> bool {
    let stat = Stat::read("/proc/self/stat").ok();
    let address = |number: usize| stat.as_ref()?.number::<usize>(number);
    let [Some(first), Some(end)] = ARGUMENTS.map(address) else {
        return false;
    };
    if first == 0 || end <= first {
        return false;
    }
    // SAFETY: the kernel has put the arguments there, on the stack, which stays and is writable. No other code looks at
    // them now.
    let arguments = unsafe { std::slice::from_raw_parts_mut(first as *mut u8, end - first) };
    let Some((0, strings)) = arguments.split_last_mut().map(|(last, rest)| (*last, rest)) else {
        return false;
    };
    let last = strings.iter().rposition(|byte| *byte == 0);
    rewrite(&mut strings[last.map_or(0, |nul| nul + 1)..], start, title)
}

fn rewrite(argument: &mut [u8], start: &str, title: &str) -> bool {
    if !argument.starts_with(start.as_bytes()) {
        return false;
    }
    let mut length = title.len().min(argument.len());
    while !title.is_char_boundary(length) {
        length -= 1;
    }
    argument.fill(b' ');
    argument[..length].copy_from_slice(&title.as_bytes()[..length]);
    length == title.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_fills_the_room_there_is() {
        let written = |room: &str, title: &str| {
            let mut argument = room.as_bytes().to_vec();
            let whole = rewrite(&mut argument, "taskq", title);
            (String::from_utf8(argument).expect("text"), whole)
        };
        assert_eq!(written("taskq   ", "taskq:a"), ("taskq:a ".into(), true));
        assert_eq!(written("taskq   ", "taskq"), ("taskq   ".into(), true));
        assert_eq!(written("taskq   ", "taskq:abc"), ("taskq:ab".into(), false));
        assert_eq!(
            written("taskq   ", "taskq:a\u{e9}"),
            ("taskq:a ".into(), false)
        );
        assert_eq!(written("other   ", "taskq:a"), ("other   ".into(), false));
    }

    #[test]
    fn a_process_that_was_started_for_something_else_keeps_its_arguments() {
        let before = std::fs::read("/proc/self/cmdline").expect("proc");
        // SAFETY: nothing is written, because no test is started with such an argument.
        assert!(!unsafe { write("no such argument", "x") });
        assert_eq!(std::fs::read("/proc/self/cmdline").expect("proc"), before);
    }
}
