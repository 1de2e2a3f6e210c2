//! How many memory files a process may hold. One test in a process of its own: the limit and the count are the
//! process's.

use rustix::process::{getrlimit, setrlimit, Resource, Rlimit};
use taskq_payload::budget::budget;
use taskq_payload::sealed::Growing;
use taskq_payload::segment::Segment;

#[test]
fn a_quarter_of_the_descriptors_and_what_is_dropped_makes_room() {
    let maximum = getrlimit(Resource::Nofile).maximum;
    let limit = Rlimit {
        current: Some(100),
        maximum,
    };
    setrlimit(Resource::Nofile, limit).expect("lower");
    assert_eq!(budget(), 25);
    let create = || {
        let mut file = Growing::create("test")?;
        file.write(b"abc").expect("memory");
        Some(file.seal().expect("sealed"))
    };
    let mut files: Vec<_> = std::iter::from_fn(create).collect();
    assert_eq!(files.len(), 25);
    // A segment takes over the place of its file.
    let segment = Segment::new(files.pop().expect("25")).expect("mapped");
    assert!(create().is_none());
    // One that comes now is mapped, but cannot be passed on.
    let file = files[0].content().map(|_| ()).and_then(|()| {
        use std::os::fd::AsFd;
        files[0].as_fd().try_clone_to_owned()
    });
    let foreign = Segment::receive(file.expect("a descriptor")).expect("mapped");
    assert_eq!(
        (foreign.bytes(), foreign.descriptor().is_some()),
        (&b"abc"[..], false)
    );
    drop(segment);
    let last = create().expect("room again");
    assert!(create().is_none());
    drop((last, files));
    assert!(create().is_some());
}
