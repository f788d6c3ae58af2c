// Members of a consumer group by RocketMQ's Go client, which join and leave as they are told. See Members.java.
package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	rocketmq "github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/rlog"
)

var saying sync.Mutex

func say(format string, values ...any) {
	saying.Lock()
	defer saying.Unlock()
	fmt.Printf(format+"\n", values...)
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func join(nameServers, topic, group, mode string, work time.Duration, name string) rocketmq.PushConsumer {
	model := consumer.Clustering
	if mode == "broadcast" {
		model = consumer.BroadCasting
	}
	member, err := rocketmq.NewPushConsumer(
		consumer.WithNsResolver(primitive.NewPassthroughResolver(strings.Split(nameServers, ";"))),
		consumer.WithGroupName(group),
		consumer.WithInstance(name),
		consumer.WithConsumerModel(model),
		consumer.WithConsumerOrder(mode == "orderly"),
		consumer.WithConsumeFromWhere(consumer.ConsumeFromFirstOffset))
	must(err)
	listen := func(_ context.Context, messages ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
		for _, message := range messages {
			began := time.Now().UnixMilli()
			time.Sleep(work)
			say("got %s %s %d %d %s %d %d", name, message.Queue.BrokerName, message.Queue.QueueId, message.QueueOffset,
				message.GetKeys(), began, time.Now().UnixMilli())
		}
		return consumer.ConsumeSuccess, nil
	}
	must(member.Subscribe(topic, consumer.MessageSelector{Type: consumer.TAG, Expression: "*"}, listen))
	must(member.Start())
	return member
}

func main() {
	rlog.SetLogLevel("warn") // it logs to the standard error stream
	nameServers, topic, group, mode := os.Args[1], os.Args[2], os.Args[3], os.Args[4]
	workMillis, err := strconv.Atoi(os.Args[5])
	must(err)
	members := map[string]rocketmq.PushConsumer{}
	say("ready")
	commands := bufio.NewScanner(os.Stdin)
	for commands.Scan() {
		words := strings.Fields(commands.Text())
		switch words[0] {
		case "join":
			members[words[1]] = join(nameServers, topic, group, mode, time.Duration(workMillis)*time.Millisecond, words[1])
			say("joined %s", words[1])
		case "leave":
			must(members[words[1]].Shutdown())
			delete(members, words[1])
			say("left %s", words[1])
		case "quit":
			for _, member := range members {
				must(member.Shutdown())
			}
			return
		}
	}
}
