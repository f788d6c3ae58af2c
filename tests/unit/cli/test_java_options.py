"""Every option of RocketMQ 5.1.0's mqadmin is an option here, of the same names, and takes a value where it does."""

from typing import Final

import pytest

from broker_py.cli.catalogue import COMMANDS, REFUSED
from broker_py.cli.mqadmin import parser_of

# tools command/*: command, then short/long of each option but -h and -n; `=` behind those that take a value. Long names
# with a blank, which nobody types, are left out or lack it.
OPTIONS: Final = """
addBroker c/brokerContainerAddr= b/brokerConfigPath=
addWritePerm b/brokerName=
allocateMQ t/topic= i/ipList=
brokerConsumeStats b/brokerAddr= t/timeoutMillis= l/level= o/order=
brokerStatus b/brokerAddr= c/clusterName=
checkMsgSendRT t/topic= a/amount= s/size=
cleanBrokerData n/brokerName= a/controllerAddress= b/brokerAddress= c/clusterName= l/cleanLivingBroker
cleanExpiredCQ b/brokerAddr= c/cluster=
cleanUnusedTopic b/brokerAddr= c/cluster=
cloneGroupOffset s/srcGroup= d/destGroup= t/topic= o/offline=
clusterAclConfigVersion b/brokerAddr= c/clusterName=
clusterList m/moreStats i/interval= c/clusterName=
clusterRT a/amount= s/size= c/cluster= p/= m/= i/interval=
consumeMessage t/topic= b/brokerName= i/queueId= o/offset= g/consumerGroup= s/beginTimestamp= e/endTimestamp=
  c/MessageNumber=
consumerConnection g/consumerGroup= b/brokerAddr=
consumerProgress g/groupName= t/topicName= s/showClientIP=
consumerStatus g/consumerGroup= i/clientId= b/brokerAddr= s/jstack
deleteAclConfig b/brokerAddr= c/clusterName= a/accessKey=
deleteExpiredCommitLog b/brokerAddr= c/cluster=
deleteKvConfig s/namespace= k/key=
deleteSubGroup b/brokerAddr= c/clusterName= g/groupName= r/removeOffset=
deleteTopic t/topic= c/clusterName=
dumpCompactionLog f/file=
electMaster n/brokerName= a/controllerAddress= b/brokerAddress= c/clusterName=
exportConfigs c/clusterName= f/filePath=
exportMetadata c/clusterName= b/brokerAddr= f/filePath= t/topic g/subscriptionGroup s/specialTopic
exportMetrics c/clusterName= f/filePath=
getAclConfig b/brokerAddr= c/clusterName=
getBrokerConfig b/brokerAddr= c/clusterName=
getBrokerEpoch c/clusterName= b/brokerName= i/interval=
getConsumerConfig g/groupName=
getControllerConfig a/controllerAddress=
getControllerMetaData a/controllerAddress=
getNamesrvConfig
getSyncStateSet a/controllerAddress= c/clusterName= b/brokerName= i/interval=
haStatus c/clusterName= b/brokerAddr= i/interval=
printMsg t/topic= c/charsetName= s/subExpression= b/beginTimestamp= e/endTimestamp= d/printBody=
printMsgByQueue t/topic= a/brokerName= i/queueId= c/charsetName= s/subExpression= b/beginTimestamp= e/endTimestamp=
  p/= d/printBody= f/calculate=
producer b/broker=
producerConnection g/producerGroup= t/topic=
queryCq t/topic= q/queue= i/index= c/count= b/broker= g/consumer=
queryMsgById i/msgId= g/consumerGroup= d/clientId= s/sendMessage= u/unitName= f/bodyFormat=
queryMsgByKey t/topic= k/msgKey=
queryMsgByOffset t/topic= b/brokerName= i/queueId= o/offset= f/bodyFormat=
queryMsgByUniqueKey i/msgId= g/consumerGroup= d/clientId= t/topic= a/showAll
queryMsgTraceById i/msgId= t/traceTopic=
remappingStaticTopic c/clusters= b/brokers= t/topic= mf/mapFile= fr/forceReplace=
removeBroker c/brokerContainerAddr= b/brokerIdentity=
resetMasterFlushOffset b/brokerAddr= o/offset=
resetOffsetByTime g/group= t/topic= s/timestamp= f/force= c/cplus b/broker= q/queue= o/offset=
sendMessage t/topic= p/body= k/key= c/tags= b/broker= i/qid= m/msgTraceEnable=
sendMsgStatus b/brokerName= s/messageSize= c/count=
setConsumeMode b/brokerAddr= c/clusterName= t/topicName= g/groupName= m/mode= q/popShareQueueNum=
skipAccumulatedMessage g/group= t/topic= f/force=
startMonitoring
statsAll a/activeTopic t/topic=
topicClusterList t/topic=
topicList c/clusterModel
topicRoute t/topic= l/list
topicStatus t/topic=
updateAclConfig b/brokerAddr= c/clusterName= a/accessKey= s/secretKey= w/whiteRemoteAddress= i/defaultTopicPerm=
  u/defaultGroupPerm= t/topicPerms= g/groupPerms= m/admin=
updateBrokerConfig b/brokerAddr= c/clusterName= a/updateAllBroker= k/key= v/value=
updateControllerConfig a/controllerAddress= k/key= v/value=
updateGlobalWhiteAddr b/brokerAddr= c/clusterName= g/globalWhiteRemoteAddresses= p/aclFileFullPath=
updateKvConfig s/namespace= k/key= v/value=
updateNamesrvConfig k/key= v/value=
updateOrderConf t/topic= v/orderConf= m/method=
updateStaticTopic c/clusters= b/brokers= t/topic= qn/totalQueueNum= mf/mapFile= fr/forceReplace=
updateSubGroup b/brokerAddr= c/clusterName= g/groupName= s/consumeEnable= m/consumeFromMinEnable=
  d/consumeBroadcastEnable= o/consumeMessageOrderly= q/retryQueueNums= r/retryMaxTimes= p/groupRetryPolicy=
  i/brokerId= w/whichBrokerWhenConsumeSlowly= a/notifyConsumerIdsChanged=
updateTopic b/brokerAddr= c/clusterName= a/attributes= t/topic= r/readQueueNums= w/writeQueueNums= p/perm= o/order=
  u/unit= s/hasUnitSub=
updateTopicPerm b/brokerAddr= c/clusterName= t/topic= p/perm=
wipeWritePerm b/brokerName=
"""


def options_of() -> dict[str, list[str]]:
    """Return command → options, as the table has them."""
    found: dict[str, list[str]] = {}
    for line in OPTIONS.replace("\n  ", " ").split("\n"):
        if line:
            command, *options = line.split()
            found[command] = options
    return found


@pytest.mark.parametrize("command", sorted(options_of()))
def test_an_option_of_rocketmq_is_one_here(command: str) -> None:
    if command in REFUSED:
        assert len(REFUSED[command]) > 20
        return
    parser, _ = parser_of(command)
    actions = parser._option_string_actions
    for option in options_of()[command]:
        short, _, long = option.removesuffix("=").partition("/")
        action = actions.get(f"-{short}")
        assert action is not None, f"{command} -{short}"
        assert not long or actions.get(f"--{long}") is action, f"{command} --{long}"
        assert (action.nargs != 0) == option.endswith("="), f"{command} -{short}"


def test_every_command_of_rocketmq_is_there_or_says_why_not() -> None:
    assert set(options_of()) <= {*COMMANDS, *REFUSED}
    assert len(options_of()) >= 70
