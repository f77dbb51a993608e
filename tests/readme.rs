//! What the documentation shows is what the program prints.
//!
//! Each `console` block of the pages below is a command after `$ ` and what it prints; a line `...` stands for any number
//! of lines. `LUNDIAN_BLESS=1 cargo test --test readme` writes the present output into the pages, keeping as many lines
//! before and after `...` as there are.

#![allow(clippy::unwrap_used, reason = "a test that cannot run fails")]

mod program;

use std::path::Path;

use program::Home;

const PAGES: &[&str] = &["README.md"];
const ANY: &str = "...";

#[test]
fn commands_print_what_the_pages_show() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let bless = std::env::var_os("LUNDIAN_BLESS").is_some();
    for page in PAGES {
        let path = root.join(page);
        let text = std::fs::read_to_string(&path).unwrap();
        let mut out = String::new();
        let mut rest = text.as_str();
        let mut blocks = 0;
        while let Some(start) = rest.find("```console\n") {
            let body_start = start + "```console\n".len();
            let end = body_start + rest[body_start..].find("```").expect("a block ends");
            let (command, shown) = rest[body_start..end].split_once('\n').unwrap();
            let printed = run(command);
            if !bless {
                assert!(fits(&printed, shown), "{page}: {command}\nshown:\n{shown}\nprinted:\n{printed}");
            }
            out.push_str(&rest[..body_start]);
            out.push_str(&format!(
                "{command}\n{}",
                if fits(&printed, shown) { shown.into() } else { blessed(&printed, shown) }
            ));
            rest = &rest[end..];
            blocks += 1;
        }
        out.push_str(rest);
        assert!(blocks > 0, "{page} shows no command");
        if bless && out != text {
            std::fs::write(&path, out).unwrap();
        }
    }
}

fn run(command: &str) -> String {
    let mut words = command.split_whitespace();
    assert_eq!((words.next(), words.next()), (Some("$"), Some("lundian")), "{command}");
    let mut program = Home::new().command();
    let output = program.args(words).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Lines in order, with `...` for any number of lines.
fn fits(printed: &str, shown: &str) -> bool {
    fn fit(printed: &[&str], shown: &[&str]) -> bool {
        match (printed, shown) {
            ([], []) => true,
            (_, [first, rest @ ..]) if first.trim() == ANY => (0..=printed.len()).any(|n| fit(&printed[n..], rest)),
            ([p, printed @ ..], [s, shown @ ..]) => p.trim_end() == s.trim_end() && fit(printed, shown),
            _ => false,
        }
    }
    fit(&printed.trim().lines().collect::<Vec<_>>(), &shown.trim().lines().collect::<Vec<_>>())
}

/// The printed lines, cut to as many before and after `...` as are shown.
fn blessed(printed: &str, shown: &str) -> String {
    let lines: Vec<&str> = printed.trim().lines().map(str::trim_end).collect();
    let shown: Vec<&str> = shown.trim().lines().collect();
    let kept = match shown.iter().position(|l| l.trim() == ANY) {
        Some(at) => {
            let after = (shown.len() - at - 1).min(lines.len());
            let head = at.min(lines.len() - after);
            [&lines[..head], &[ANY], &lines[lines.len() - after..]].concat()
        }
        None => lines,
    };
    kept.join("\n") + "\n"
}
