# mirai as it is by default: with its dispatcher, which is what makes it a queue.

peer <- mirai_peer("mirai", dispatcher = TRUE)
