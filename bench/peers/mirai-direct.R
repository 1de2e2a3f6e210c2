# mirai without its dispatcher: tasks go to the daemons in turn, be they free or not.

peer <- mirai_peer("mirai, direct", dispatcher = FALSE)
